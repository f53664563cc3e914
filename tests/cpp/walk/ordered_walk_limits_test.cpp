// What an ordered walk takes: directories ahead, memory, threads; and what a fork leaves of it.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "listed_directory.hpp"
#include "support/awaited.hpp"
#include "support/call.hpp"
#include "support/driven_walk.hpp"
#include "support/faults.hpp"
#include "support/ordered_walk_kinds.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::Awaited;
using testing::computed_source;
using testing::DrivenWalk;
using testing::expect_as_serial;
using testing::faulty_at_t;
using testing::kinds;
using testing::patience;
using testing::signals_when_gone;
using testing::tree_of_40;
using testing::under_sanitizer;
using Counts = OrderedWalk::Counts;

TEST(OrderedWalkLimits, GoesAheadOfTheConsumerAsFarAsTheWindowAndNoFurther) {
    for (const bool topdown : {true, false}) {
        for (std::size_t window = 1; window <= 8; ++window) {
            std::atomic<std::size_t> opened{0};
            const auto fs = faulty_at_t({4, 2, 4}, [&opened](const FaultyCall& call) {
                if (call.operation == Operation::open) ++opened;
                return Fault{};
            });
            OrderedWalkOptions options;
            options.topdown = topdown;
            options.max_threads = 4;
            options.window_directories = window;
            std::size_t most = 0;
            DrivenWalk walk(fs, "/t", options);
            while (walk.next()) {
                walk.settle();
                const Counts counts = walk.core().counts();
                ASSERT_EQ(counts.reread, 0U);
                most = std::max(most, opened - counts.reused - counts.direct);
                ASSERT_EQ(fs->open_directories(), 0U) << "nothing stays open between two steps";
            }
            if (topdown) {
                EXPECT_EQ(most, window);
            } else {  // those on the way up have been listed, but not handed over
                EXPECT_LE(most, window + 4);
                EXPECT_GE(most, window);
            }
        }
    }
}

TEST(OrderedWalkLimits, HoldsAheadWhatTheWindowOfBytesAllows) {
    const SyntheticTree tree{10, 200, 2};
    testing::Caller caller;
    const auto one = make_synthetic_file_system(tree, "/t");
    const std::size_t footprint =
        walk::list_directory(*one, "/t/d0/d0", true, {}, caller.context).names.footprint();
    ASSERT_GT(footprint, 1'000U);
    for (const std::size_t directories : {1U, 5U, 20U}) {
        std::atomic<std::size_t> opened{0};
        const auto fs = faulty_at_t(tree, [&opened](const FaultyCall& call) {
            if (call.operation == Operation::open) ++opened;
            return Fault{};
        });
        OrderedWalkOptions options;
        options.max_threads = 2;  // one reader
        options.window_bytes = directories * footprint;
        DrivenWalk walk(fs, "/t", options);
        ASSERT_TRUE(walk.next());
        walk.settle();
        EXPECT_GE(opened, 1 + directories / 2) << "some directories hold a little more";
        EXPECT_LE(opened, 1 + directories + 1);
    }
}

TEST(OrderedWalkLimits, NoMoreListingsAreUnderWayThanPermitted) {
    for (const unsigned permitted : {1U, 2U, 4U}) {
        const auto fs = faulty_at_t({10, 1, 2}, [](const FaultyCall&) {
            return Fault{0, std::chrono::microseconds(500)};  // rewards any number of threads
        });
        OrderedWalkOptions options;
        options.max_threads = 2;
        options.max_inflight = permitted;
        expect_as_serial(fs, computed_source({10, 1, 2}, "/t"), "/t", options);
        EXPECT_LE(fs->most_open_directories(), permitted + 1) << "the consumer's own included";
    }
}

std::size_t tasks() {
    const std::filesystem::directory_iterator listing("/proc/self/task");
    return static_cast<std::size_t>(std::distance(begin(listing), end(listing)));
}

TEST(OrderedWalkLimits, WhenAWalkIsGoneSoAreItsThreadsAndItsMemory) {
    std::thread([] {}).join();  // with the first thread, a sanitizer starts one of its own
    const std::size_t before = tasks();
    for (const OrderedWalkOptions& options : kinds()) {
        for (const int steps : {0, 1, 5, 1'000}) {
            const auto gone = std::make_shared<Awaited>();
            unsigned peak = 0;
            {
                DrivenWalk walk(faulty_at_t({10, 1, 2}, [signal = signals_when_gone(gone)](
                                                            const FaultyCall&) { return Fault{}; }),
                                "/t", options);
                for (int i = 0; i < steps && walk.next(); ++i) {
                }
                if (steps == 5) walk.settle();
                peak = walk.core().counts().threads_peak;
            }
            EXPECT_EQ(peak > 0, options.max_threads > 1 && steps > 0);
            EXPECT_TRUE(gone->reaches(1)) << "somebody still holds the file system";
        }
    }
    // A thread has let go of everything a moment before it ends.
    const auto until = std::chrono::steady_clock::now() + patience;
    while (tasks() > before && std::chrono::steady_clock::now() < until) {
        std::this_thread::sleep_for(milliseconds(1));
    }
    EXPECT_LE(tasks(), before);
}

// In the child: the rest of the walk, compared with the oracle. No test macros: 0 is success.
int walk_on(DrivenWalk& walk, testing::SerialWalk& oracle) {
    for (;;) {
        const auto found = walk.next();
        if (found != oracle.next()) return 1;
        if (!found) break;
    }
    if (walk.core().counts().threads_peak != 0) return 2;
    walk.destroy();
    return 0;
}

TEST(OrderedWalkLimits, AForkedProcessGoesOnWithAWalkWhoseReadersItDoesNotHave) {
    for (OrderedWalkOptions options : kinds()) {
        const bool ahead = options.max_threads > 1;
        const bool stuck = ahead && options.topdown;  // bottom-up, the first step may get there
        if (stuck) options.max_threads = 2;           // one reader
        const auto hanging = std::make_shared<Awaited>();
        const pid_t parent = ::getpid();
        const auto fs = faulty_at_t(tree_of_40, [=](const FaultyCall& call) {
            const bool hangs = stuck && call.operation == Operation::open &&
                               call.path == "/t/d1/d1" && ::getpid() == parent;
            if (hangs) hanging->add();
            return Fault{0, {}, hangs};
        });
        DrivenWalk walk(fs, "/t", options);
        testing::SerialWalk oracle(computed_source(tree_of_40, "/t"), "/t", options);
        ASSERT_EQ(walk.next(), oracle.next());
        if (stuck) {
            ASSERT_TRUE(hanging->reaches(1)) << "a reader is at work";
        } else if (under_sanitizer) {
            walk.settle();  // its allocator's locks would stay with the threads that have them
        }
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0) {
            ::alarm(60);
            ::_exit(walk_on(walk, oracle));
        }
        int status = -1;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        EXPECT_TRUE(WIFEXITED(status));
        EXPECT_EQ(WEXITSTATUS(status), 0);

        fs->release();
        EXPECT_EQ(walk_on(walk, oracle), ahead ? 2 : 0) << "the parent goes on with its readers";
    }
}

TEST(OrderedWalkLimits, AForkedProcessMayDropTheWalk) {
    OrderedWalkOptions options;
    options.max_threads = 3;
    DrivenWalk walk(faulty_at_t({10, 1, 3}, [](const FaultyCall&) { return Fault{}; }), "/t",
                    options);
    for (int i = 0; i < 5; ++i) ASSERT_TRUE(walk.next());
    if (under_sanitizer) walk.settle();
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        ::alarm(60);
        walk.destroy();
        ::_exit(0);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFEXITED(status));
    EXPECT_EQ(WEXITSTATUS(status), 0);
    ASSERT_TRUE(walk.next());
}

}  // namespace
}  // namespace filetree
