// Repairs that are closed in the middle.

#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <thread>

#include "filetree/repair.hpp"
#include "support/awaited.hpp"
#include "support/repairs.hpp"

namespace filetree {
namespace {

using testing::Awaited;
using testing::patience;
using testing::run_repair;
using testing::shared_group;
using testing::SharedTree;
using testing::user;
using testing::Values;
using testing::values_of;

constexpr int files = 100;
constexpr int before = 10;

// The top of a tree of files, in which one change waits until the walk is to stop.
class SlowTop final : public Directory {
   public:
    SlowTop(std::shared_ptr<Directory> inner, std::shared_ptr<Awaited> changes)
        : inner_(std::move(inner)), changes_(std::move(changes)) {}

    Result<bool> read(Listing& out, CallContext& context) override {
        return inner_->read(out, context);
    }
    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask mask,
                     StatResult* out, CallContext& context) override {
        return inner_->stat(names, first, last, mask, out, context);
    }
    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        return inner_->open(name, context);
    }
    StatResult attributes(CallContext& context) override { return inner_->attributes(context); }
    bool dates_changes(const Attributes& attributes, CallContext& context) override {
        return inner_->dates_changes(attributes, context);
    }
    Result<std::unique_ptr<Entry>> pin(const char* name, CallContext& context) override {
        auto pinned = inner_->pin(name, context);
        if (!pinned.ok()) return pinned;
        return {std::make_unique<SlowEntry>(std::move(pinned.value), changes_), 0};
    }

   private:
    class SlowEntry final : public Entry {
       public:
        SlowEntry(std::unique_ptr<Entry> inner, std::shared_ptr<Awaited> changes)
            : inner_(std::move(inner)), changes_(std::move(changes)) {}

        StatResult attributes(CallContext& context) override { return inner_->attributes(context); }
        int set_group(std::uint32_t gid, CallContext& context) override {
            return inner_->set_group(gid, context);
        }
        int set_mode(std::uint32_t mode, CallContext& context) override {
            changes_->add();
            const auto end = std::chrono::steady_clock::now() + patience;
            while (changes_->value() == before && !context.stop_requested()) {
                if (std::chrono::steady_clock::now() > end) return ETIMEDOUT;
                std::this_thread::yield();
            }
            return inner_->set_mode(mode, context);
        }

       private:
        std::unique_ptr<Entry> inner_;
        std::shared_ptr<Awaited> changes_;
    };

    std::shared_ptr<Directory> inner_;
    std::shared_ptr<Awaited> changes_;
};

class SlowFileSystem final : public FileSystem {
   public:
    explicit SlowFileSystem(std::shared_ptr<Awaited> changes) : changes_(std::move(changes)) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool follow) override {
        auto opened = inner_->open(path, context, follow);
        if (!opened.ok()) return opened;
        return {std::make_shared<SlowTop>(std::move(opened.value), changes_), 0};
    }
    StatResult attributes(const std::string& path, bool follow, StatMask mask,
                          CallContext& context) override {
        return inner_->attributes(path, follow, mask, context);
    }
    [[nodiscard]] bool has_mounts_below(const std::string& path) const override {
        return inner_->has_mounts_below(path);
    }
    [[nodiscard]] std::size_t descriptor_budget() const override {
        return inner_->descriptor_budget();
    }

   private:
    const std::shared_ptr<FileSystem> inner_ = make_posix_file_system();
    const std::shared_ptr<Awaited> changes_;
};

TEST(RepairCancel, ClosedInTheMiddleItStopsAfterTheChangeBeingMade) {
    FILETREE_NEEDS_REPAIRS();
    const SharedTree tree;
    for (int i = 0; i < files; ++i) tree.file("f" + std::to_string(i), {user, 0600});
    const auto changes = std::make_shared<Awaited>();
    RepairOptions options = testing::repair_options(false);
    options.walk.max_threads = options.walk.max_inflight = 1;
    Repair repair(std::make_shared<SlowFileSystem>(changes), tree.top, options);
    ASSERT_TRUE(changes->reaches(before));
    repair.close();
    repair.close();
    EXPECT_EQ(repair.counts().changes, static_cast<std::uint64_t>(before));
    EXPECT_TRUE(repair.errors().empty());
    int repaired = 0;
    for (const auto& entry : std::filesystem::directory_iterator(tree.top)) {
        const Values values = values_of(entry.path().native());
        const bool is_done = values == Values{shared_group, 0640};
        EXPECT_TRUE(is_done || values == (Values{user, 0600})) << entry.path() << " " << values;
        repaired += is_done ? 1 : 0;
    }
    EXPECT_EQ(repaired, before);
    EXPECT_EQ(run_repair(tree.top).counts.changes, static_cast<std::uint64_t>(files - before));
}

}  // namespace
}  // namespace filetree
