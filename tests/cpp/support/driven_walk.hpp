#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "filetree/ordered_walk.hpp"
#include "support/limits.hpp"
#include "support/serial_walk.hpp"

namespace filetree::testing {

// An OrderedWalk and its caller, with the interface of the oracle.
class DrivenWalk final : public WalkCaller {
   public:
    DrivenWalk(std::shared_ptr<FileSystem> fs, std::string top, const OrderedWalkOptions& options)
        : topdown_(options.topdown),
          core_(std::in_place, std::move(fs), std::move(top), options,
                static_cast<WalkCaller&>(*this)) {}

    std::optional<Visit> next() {
        const OrderedWalk::Step step = core_->next();
        if (step == OrderedWalk::Step::end) return std::nullopt;
        Visit visit;
        visit.path = core_->path();
        visit.depth = core_->depth();
        if (topdown_ && visit.depth > 0) visit.child_index = core_->child_index();
        if (step == OrderedWalk::Step::failure) {
            visit.error = core_->error();
            return visit;
        }
        const Listing& names = core_->names();
        for (std::size_t i = 0; i < names.size(); ++i) {
            const bool directory = names.type(i) == EntryType::directory;
            (directory ? visit.directories : visit.others).emplace_back(names.name(i));
        }
        lists_.resize(visit.depth);
        lists_.push_back(visit.directories);
        return visit;
    }

    // Of the directory visited last.
    std::vector<std::string>& dirnames() { return lists_.back(); }
    OrderedWalk& core() { return *core_; }
    void destroy() { core_.reset(); }

    // Lets everything be listed ahead that may be.
    void settle() { ASSERT_TRUE(core_->wait_idle(patience)); }

    std::optional<std::vector<std::string>> edited(const Listing& names) override {
        std::vector<std::string> listed;
        for (std::size_t i = 0; i < names.size(); ++i) {
            if (names.type(i) == EntryType::directory) listed.emplace_back(names.name(i));
        }
        if (listed == lists_.back()) return std::nullopt;
        return lists_.back();
    }
    bool child(std::size_t depth, std::size_t index, const std::string& parent,
               std::string& path) override {
        const auto& names = lists_.at(depth);
        if (index >= names.size()) return false;
        path = joined(parent, names[index]);
        return true;
    }
    void waiting() override {
        if (on_waiting) on_waiting();
    }

    std::function<void()> on_waiting;

   private:
    const bool topdown_;
    std::vector<std::vector<std::string>> lists_;  // top-down, one for each level
    std::optional<OrderedWalk> core_;
};

// What happens after each step that gave a directory.
using Between = std::function<void(const Visit&, DrivenWalk&)>;

// Walks to the end, side by side with the oracle, and compares every step. Both go on from the same
// state of the tree, with the same names to enter.
inline OrderedWalk::Counts expect_as_serial(const std::shared_ptr<FileSystem>& fs,
                                            const SerialSource& source, const std::string& top,
                                            const OrderedWalkOptions& options,
                                            const Between& between = {}) {
    DrivenWalk walk(fs, top, options);
    SerialWalk oracle(source, top, options);
    std::uint64_t directories = 0;
    for (int step = 0;; ++step) {
        const auto found = walk.next();
        const auto expected = oracle.next();
        if (found != expected) {
            ADD_FAILURE() << "step " << step << ":\n  " << ::testing::PrintToString(found)
                          << "\nin place of\n  " << ::testing::PrintToString(expected);
            break;
        }
        if (!found) break;
        if (found->error != 0) continue;
        ++directories;
        if (!between) continue;
        between(*found, walk);
        if (options.topdown) oracle.dirnames() = walk.dirnames();
    }
    EXPECT_EQ(walk.next(), std::nullopt);
    const OrderedWalk::Counts counts = walk.core().counts();
    EXPECT_EQ(counts.reused + counts.reread + counts.direct, directories);
    return counts;
}

inline const Between settle_each = [](const Visit&, DrivenWalk& walk) { walk.settle(); };

}  // namespace filetree::testing
