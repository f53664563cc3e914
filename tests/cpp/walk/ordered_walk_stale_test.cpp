// Listings made ahead that no longer hold when they are due.

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <atomic>
#include <chrono>
#include <random>
#include <thread>

#include "filetree/posix_fs.hpp"
#include "support/altered_fs.hpp"
#include "support/driven_walk.hpp"
#include "support/temporary_directory.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::altered;
using testing::computed_source;
using testing::DrivenWalk;
using testing::expect_as_serial;
using testing::is_real_directory;
using testing::real_source;
using testing::scaled;
using testing::settle_each;
using testing::TemporaryDirectory;
using testing::Visit;
using Counts = OrderedWalk::Counts;

// Well above the step of the clock that file systems take their times from.
constexpr milliseconds settling{60};

// Waits until nothing that has been changed so far counts as recent.
void let_settle(const TemporaryDirectory& place) {
    struct stat last {};
    ASSERT_EQ(::stat(place.add_file("last").c_str(), &last), 0);
    const auto changed =
        std::chrono::seconds(last.st_ctim.tv_sec) + std::chrono::nanoseconds(last.st_ctim.tv_nsec);
    const auto settled = [&] {
        return std::chrono::system_clock::now().time_since_epoch() - changed > settling;
    };
    while (!settled()) std::this_thread::sleep_for(milliseconds(5));
}

class OrderedWalkStale : public ::testing::TestWithParam<bool> {
   protected:
    OrderedWalkStale() {
        options.topdown = GetParam();
        options.max_threads = 3;
        options.settling_time = settling;
    }
    void SetUp() override {
        for (const char* name : {"a/1", "a/2", "b/1", "b/2/3", "c/1", "c/2", "elsewhere/4/5"}) {
            tree.add_directory(name);
            tree.add_file(std::string(name) + "/f");
        }
        ASSERT_NO_FATAL_FAILURE(let_settle(beside));
    }
    [[nodiscard]] std::string operator/(const std::string& name) const { return tree / name; }

    // Lists everything ahead, hands over one directory, makes the change, and goes on to the end.
    Counts walk(const std::function<void()>& change) const {
        bool changed = false;
        return expect_as_serial(make_posix_file_system(), real_source(), tree.path(), options,
                                [&](const Visit&, DrivenWalk& walk) {
                                    if (std::exchange(changed, true)) return;
                                    walk.settle();
                                    change();
                                });
    }

    // Bottom-up, how many are due before the change depends on the order of the names.
    void expect_reread(const Counts& counts, std::uint64_t at_least) const {
        if (options.topdown) {
            EXPECT_GE(counts.reread, at_least);
        }
    }

    TemporaryDirectory tree;
    TemporaryDirectory beside;
    OrderedWalkOptions options;
};

INSTANTIATE_TEST_SUITE_P(Order, OrderedWalkStale, ::testing::Bool(), [](const auto& instance) {
    return std::string(instance.param ? "TopDown" : "BottomUp");
});

TEST_P(OrderedWalkStale, WhereNothingChangesNothingIsListedAgain) {
    const Counts counts = walk([] {});
    EXPECT_EQ(counts.reread, 0U);
    EXPECT_GE(counts.reused, 5U);
}

TEST_P(OrderedWalkStale, WhatWasChangedIsListedAgain) {
    const Counts counts = walk([this] {
        for (const char* name : {"a", "b", "c", "elsewhere"}) {
            tree.add_file(std::string(name) + "/new");
            tree.add_directory(std::string(name) + "/new directory/below");
            std::filesystem::remove_all(*this / (std::string(name) + "/1"));
        }
    });
    expect_reread(counts, 2);
}

TEST_P(OrderedWalkStale, AnMtimeSetBackDoesNotHideAChange) {
    const Counts counts = walk([this] {
        for (const char* name : {"a", "b", "c", "elsewhere"}) {
            struct stat before {};
            ASSERT_EQ(::stat((*this / name).c_str(), &before), 0);
            tree.add_file(std::string(name) + "/new");
            const timespec times[2] = {before.st_atim, before.st_mtim};
            ASSERT_EQ(::utimensat(AT_FDCWD, (*this / name).c_str(), times, 0), 0);
        }
    });
    expect_reread(counts, 2);
}

TEST_P(OrderedWalkStale, WhatWasReplacedByAnotherDirectoryIsListedAgain) {
    const Counts counts = walk([this] {
        for (const char* name : {"a", "b", "c"}) {
            std::filesystem::rename(*this / name, beside / name);
            std::filesystem::rename(*this / "elsewhere/4", *this / name);
            tree.add_directory("elsewhere/4/5");
        }
    });
    expect_reread(counts, 2);
}

TEST_P(OrderedWalkStale, WhatWasExchangedForItsSiblingIsNotTakenForIt) {
    const Counts counts = walk([this] {
        std::filesystem::rename(*this / "a", *this / "x");
        std::filesystem::rename(*this / "b", *this / "a");
        std::filesystem::rename(*this / "x", *this / "b");
    });
    expect_reread(counts, 1);
}

TEST_P(OrderedWalkStale, WhatWasRemovedIsAFailure) {
    walk([this] {
        for (const char* name : {"a", "b", "c"}) std::filesystem::remove_all(*this / name);
    });
}

TEST_P(OrderedWalkStale, WhatBecameAFileOrASymlinkIsNoDirectoryOfTheTree) {
    walk([this] {
        for (const char* name : {"a", "b", "c"}) {
            std::filesystem::rename(*this / name, beside / name);
        }
        tree.add_file("a");
        std::filesystem::create_directory_symlink("elsewhere", *this / "b");
        std::filesystem::create_symlink("nowhere", *this / "c");
    });
}

TEST_P(OrderedWalkStale, WhatASymlinkLeadsToIsLookedUpWhenItsDirectoryIsDue) {
    for (const char* name : {"a/link", "b/link", "c/link", "elsewhere/link"}) {
        std::filesystem::create_symlink("../target", *this / name);
    }
    for (const bool follow : {false, true}) {
        ASSERT_NO_FATAL_FAILURE(let_settle(beside));
        options.followlinks = follow;
        const Counts counts = walk([this] { tree.add_directory("target/inner"); });
        EXPECT_GT(counts.reused, 5U) << "the directories that hold the symlinks have not changed";
        std::filesystem::remove_all(*this / "target");
    }
}

TEST_P(OrderedWalkStale, WhatIsTooRecentIsListedAgain) {
    options.settling_time = std::chrono::hours(1);
    const Counts counts = walk([] {});
    EXPECT_EQ(counts.reused, 0U);
    expect_reread(counts, 1);
}

// Names and times of one computed directory change together when the test says so.
TEST_P(OrderedWalkStale, WhatChangesWhileItIsBeingListedIsListedAgain) {
    const SyntheticTree computed{3, 2, 2};
    const auto changed = std::make_shared<std::atomic<bool>>(false);
    const auto name = [](const std::string& path) { return path == "/t/d1"; };
    const auto fs = altered(make_synthetic_file_system(computed, "/t"),
                            {[=](const std::string& path, Attributes& attributes) {
                                 if (name(path) && *changed) attributes.mtime.nanoseconds = 1;
                             },
                             {},
                             [=](const std::string& path, Listing& names) {
                                 if (!name(path)) return;
                                 if (changed->exchange(true)) names.add("new", EntryType::regular);
                             }});
    auto source = computed_source(computed, "/t");
    source.list = [=, list = source.list](const std::string& path, auto& out) {
        const int error = list(path, out);
        if (name(path)) out.push_back({"new", false, false});
        return error;
    };
    const Counts counts = expect_as_serial(fs, source, "/t", options, settle_each);
    if (options.topdown) {  // else its turn may come at once
        EXPECT_EQ(counts.reread, 1U);
    }
    EXPECT_GT(counts.reused, 0U);
}

// Surgery at random between steps: new, removed, renamed and replaced entries anywhere.
class Surgeon {
   public:
    Surgeon(const TemporaryDirectory& tree, unsigned seed) : tree_(tree), draw_(seed) {}

    void operate() {
        if (draw_() % 2 == 0) return;
        std::error_code refused;  // what does not fit is left
        const std::string path = somewhere();
        switch (draw_() % 6) {
            case 0:
                std::filesystem::create_directories(path, refused);
                break;
            case 1:
                ::close(::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
                break;
            case 2:
                std::filesystem::remove_all(path, refused);
                break;
            case 3:
                std::filesystem::rename(path, somewhere(), refused);
                break;
            case 4:
                std::filesystem::remove(path, refused);
                std::filesystem::create_symlink(tree_ / name(), path, refused);
                break;
            default:
                std::filesystem::create_directories(path + "/x/" + name(), refused);
                break;
        }
    }
    std::string somewhere() {
        std::string path = tree_ / name();
        while (draw_() % 3 != 0) path += "/" + name();
        return path;
    }

   private:
    std::string name() { return std::string(1, static_cast<char>('a' + draw_() % 4)); }

    const TemporaryDirectory& tree_;
    std::mt19937 draw_;
};

TEST_P(OrderedWalkStale, GivesWhatASerialWalkGivesWhateverIsDoneToTheTree) {
    Counts sum;
    for (unsigned seed = 0; seed < scaled(12, 3); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        const TemporaryDirectory patient(TemporaryDirectory::Place::in_memory);
        Surgeon surgeon(patient, seed);
        for (int i = 0; i < 60; ++i) {
            std::error_code refused;
            std::filesystem::create_directories(surgeon.somewhere(), refused);
        }
        ASSERT_NO_FATAL_FAILURE(let_settle(beside));
        options.early_link_checks = seed % 2 == 0;
        std::size_t left = 300;
        const Counts counts =
            expect_as_serial(make_posix_file_system(), real_source(), patient.path(), options,
                             [&](const Visit& visit, DrivenWalk& walk) {
                                 if (visit.depth % 2 == seed % 2) walk.settle();
                                 if (left > 0 && --left > 0) surgeon.operate();
                             });
        if (HasFailure()) break;
        sum.reused += counts.reused;
        sum.reread += counts.reread;
    }
    EXPECT_GT(sum.reused, 0U);
    EXPECT_GT(sum.reread, 0U);
}

}  // namespace
}  // namespace filetree
