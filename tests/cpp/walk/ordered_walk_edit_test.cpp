// Callers that edit what an ordered walk is to enter.

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <set>

#include "filetree/faulty_fs.hpp"
#include "filetree/posix_fs.hpp"
#include "support/driven_walk.hpp"
#include "support/faults.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::nanoseconds;
using testing::Between;
using testing::computed_source;
using testing::DrivenWalk;
using testing::expect_as_serial;
using testing::real_source;
using testing::TemporaryDirectory;
using testing::Visit;
using Names = std::vector<std::string>;
using Counts = OrderedWalk::Counts;

constexpr SyntheticTree tree_of_85{4, 2, 3};  // 85 directories

class OrderedWalkEdit : public ::testing::TestWithParam<bool> {
   protected:
    OrderedWalkEdit() {
        options.max_threads = 3;
        options.early_link_checks = GetParam();
    }

    // With everything listed ahead before the edit, and with nothing.
    Counts expect_edited(const std::function<void(const Visit&, Names&)>& edit) {
        const auto fs = make_synthetic_file_system(tree_of_85, "/t");
        const auto source = computed_source(tree_of_85, "/t");
        OrderedWalkOptions serial = options;
        serial.max_threads = 1;
        const Between plain = [&](const Visit& visit, DrivenWalk& walk) {
            edit(visit, walk.dirnames());
        };
        expect_as_serial(fs, source, "/t", serial, plain);
        expect_as_serial(fs, source, "/t", options, plain);
        return expect_as_serial(fs, source, "/t", options,
                                [&](const Visit& visit, DrivenWalk& walk) {
                                    walk.settle();
                                    edit(visit, walk.dirnames());
                                });
    }

    OrderedWalkOptions options;
};

INSTANTIATE_TEST_SUITE_P(LinkChecks, OrderedWalkEdit, ::testing::Bool(), [](const auto& instance) {
    return std::string(instance.param ? "Early" : "Lazy");
});

TEST_P(OrderedWalkEdit, WhatIsRemovedIsNotEntered) {
    const Counts counts = expect_edited([](const Visit&, Names& names) {
        std::erase_if(names, [](const std::string& name) { return name == "d1" || name == "d3"; });
    });
    EXPECT_EQ(counts.reused + counts.direct, 1U + 2 + 4 + 8);
    EXPECT_GT(counts.reused, 10U) << "what is left has been listed ahead";
}

TEST_P(OrderedWalkEdit, WhenAllIsRemovedNothingIsEntered) {
    const Counts counts = expect_edited([](const Visit&, Names& names) { names.clear(); });
    EXPECT_EQ(counts.reused + counts.reread + counts.direct, 1U);
}

TEST_P(OrderedWalkEdit, TheOrderIsTheCallers) {
    const Counts counts =
        expect_edited([](const Visit&, Names& names) { std::reverse(names.begin(), names.end()); });
    EXPECT_EQ(counts.reused + counts.direct, 85U);
    EXPECT_GT(counts.reused, 70U);
}

TEST_P(OrderedWalkEdit, WhatIsRepeatedIsEnteredAsOften) {
    const Counts counts = expect_edited([](const Visit& visit, Names& names) {
        if (visit.depth == 0) names = {"d2", "d0", "d2", "d2"};
    });
    EXPECT_EQ(counts.reused + counts.direct, 1U + 4 * 21);
}

TEST_P(OrderedWalkEdit, WhatIsAddedIsEntered) {
    const Counts counts = expect_edited([](const Visit& visit, Names& names) {
        if (visit.path == "/t/d0") names = {"d3", "/t/d1/d1", "d0/d2", "d1", "/t/d3"};
    });
    EXPECT_EQ(counts.reused + counts.direct, 1U + 3 * 21 + 1 + 5 + 5 + 1 + 5 + 21);
}

TEST_P(OrderedWalkEdit, NamesThatDifferFromStepToStepAreFollowed) {
    expect_edited([](const Visit& visit, Names& names) {
        if (names.empty()) return;
        const std::size_t by = visit.path.size() % names.size();
        std::rotate(names.begin(), names.begin() + static_cast<std::ptrdiff_t>(by), names.end());
        if (visit.path.size() % 3 == 0) names.pop_back();
        if (visit.path.size() % 5 == 0) names.insert(names.begin(), names.back());
    });
}

TEST_P(OrderedWalkEdit, WhatIsRemovedBeforeItWasListedIsNotOpened) {
    std::mutex mutex;
    std::map<std::string, int> opened;
    const auto fs = std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree_of_85, "/t"),
                                                       [&](const FaultyCall& call) {
                                                           if (call.operation == Operation::open) {
                                                               const std::lock_guard lock(mutex);
                                                               ++opened[std::string(call.path)];
                                                           }
                                                           return Fault{};
                                                       });
    options.window_directories = 4;  // d0 and three below it
    const Between edit = [](const Visit& visit, DrivenWalk& walk) {
        if (visit.depth == 0) {
            walk.settle();
            std::erase(walk.dirnames(), "d2");
        }
    };
    const Counts counts =
        expect_as_serial(fs, computed_source(tree_of_85, "/t"), "/t", options, edit);
    EXPECT_EQ(counts.reused + counts.direct, 64U);
    for (const auto& [path, times] : opened) EXPECT_FALSE(path.starts_with("/t/d2")) << path;
    EXPECT_GE(opened.size(), 64U);
}

// Edits of a list while what is in it is being entered: without early checks, each child is looked
// up when it is due.
TEST(OrderedWalkLateEdit, NamesRemovedFromAnOuterListAreNotEntered) {
    OrderedWalkOptions options;
    options.max_threads = 3;
    struct Caller final : WalkCaller {
        bool child(std::size_t depth, std::size_t index, const std::string& parent,
                   std::string& path) override {
            // The top's list is d0, d1, d2, d3; by the time that d0 is done, d1 and d2 are gone.
            if (depth > 0 || index > 1) return false;
            join_path(path, parent, index == 0 ? "d0" : "d3");
            return true;
        }
    } caller;
    OrderedWalk walk(make_synthetic_file_system(tree_of_85, "/t"), "/t", options, caller);
    Names paths;
    while (walk.next() == OrderedWalk::Step::directory) {
        paths.push_back(walk.path());
        ASSERT_TRUE(walk.wait_idle(testing::patience));
    }
    EXPECT_EQ(paths, (Names{"/t", "/t/d0", "/t/d3"}));
}

// What a child is when it is due, and what it was when its parent was resumed.
class OrderedWalkLinks : public ::testing::TestWithParam<bool> {
   protected:
    OrderedWalkLinks() {
        for (const char* name : {"a/1", "b/2/x", "c/3", "elsewhere/4/5"}) tree.add_directory(name);
        options.early_link_checks = GetParam();
        options.settling_time = nanoseconds(0);
    }
    // Replaces "b" while "a" is visited.
    Counts walk(const std::function<void()>& replace, std::set<std::string>& seen) const {
        bool replaced = false;
        return expect_as_serial(fs, real_source(), tree.path(), options,
                                [&](const Visit& visit, DrivenWalk& walk) {
                                    walk.settle();
                                    seen.insert(visit.path);
                                    if (visit.depth == 0) walk.dirnames() = {"a", "b", "c"};
                                    if (visit.depth == 1 && !std::exchange(replaced, true)) {
                                        ASSERT_EQ(visit.path, tree / "a");
                                        replace();
                                    }
                                });
    }

    TemporaryDirectory tree;
    std::shared_ptr<FileSystem> fs = make_posix_file_system();
    OrderedWalkOptions options;
};

INSTANTIATE_TEST_SUITE_P(LinkChecks, OrderedWalkLinks, ::testing::Bool(), [](const auto& instance) {
    return std::string(instance.param ? "Early" : "Lazy");
});

TEST_P(OrderedWalkLinks, AChildThatBecameASymlinkMeanwhileIsEnteredOnlyWithEarlyChecks) {
    for (const unsigned threads : {1U, 3U}) {
        options.max_threads = threads;
        std::set<std::string> seen;
        walk(
            [&] {
                std::filesystem::rename(tree / "b", tree / ("b" + std::to_string(threads)));
                std::filesystem::create_directory_symlink("elsewhere", tree / "b");
            },
            seen);
        EXPECT_EQ(seen.contains(tree / "b"), GetParam());
        EXPECT_EQ(seen.contains(tree / "b/4"), GetParam());
        EXPECT_TRUE(seen.contains(tree / "c/3"));
        std::filesystem::remove(tree / "b");
        std::filesystem::rename(tree / ("b" + std::to_string(threads)), tree / "b");
    }
}

TEST_P(OrderedWalkLinks, ASymlinkThatBecameADirectoryMeanwhileIsEnteredOnlyWithLateChecks) {
    for (const unsigned threads : {1U, 3U}) {
        options.max_threads = threads;
        std::filesystem::rename(tree / "b", tree / "kept");
        std::filesystem::create_directory_symlink("elsewhere", tree / "b");
        std::set<std::string> seen;
        walk(
            [&] {
                std::filesystem::remove(tree / "b");
                std::filesystem::rename(tree / "kept", tree / "b");
            },
            seen);
        EXPECT_EQ(seen.contains(tree / "b/2"), !GetParam());
        EXPECT_TRUE(seen.contains(tree / "c/3"));
    }
}

TEST_P(OrderedWalkLinks, ASymlinkIsPassedOverAndADanglingOneToo) {
    std::filesystem::create_directory_symlink("elsewhere", tree / "l");
    std::filesystem::create_symlink("nowhere", tree / "dangling");
    for (const unsigned threads : {1U, 3U}) {
        options.max_threads = threads;
        std::size_t steps = 0;
        expect_as_serial(fs, real_source(), tree.path(), options,
                         [&](const Visit& visit, DrivenWalk& walk) {
                             ++steps;
                             walk.settle();
                             if (visit.depth == 0) {
                                 walk.dirnames() = {"l", "dangling", "missing", "a", "l/", "l/4"};
                             }
                         });
        EXPECT_EQ(steps, 1U + 2 + 3 + 2) << "the top, a, and what is behind l by other names";
    }
}

}  // namespace
}  // namespace filetree
