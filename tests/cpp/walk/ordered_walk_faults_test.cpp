// Ordered walks where calls fail or throw, and what such a walk takes: directories, memory,
// threads.

#include <gtest/gtest.h>

#include <cerrno>
#include <stdexcept>

#include "support/awaited.hpp"
#include "support/driven_walk.hpp"
#include "support/faults.hpp"
#include "support/ordered_walk_kinds.hpp"

namespace filetree {
namespace {

using testing::Awaited;
using testing::CallCounter;
using testing::computed_source;
using testing::DrivenWalk;
using testing::error_at;
using testing::expect_as_serial;
using testing::faulty_at_t;
using testing::kinds;
using testing::SerialSource;
using testing::settle_each;
using testing::tree_of_40;
using testing::Visit;
using Counts = OrderedWalk::Counts;
using Step = OrderedWalk::Step;

SerialSource failing_source(const SyntheticTree& tree, const std::string& failing, int error) {
    SerialSource source = computed_source(tree, "/t");
    source.list = [=, list = source.list](const std::string& path, auto& out) {
        return path == failing ? error : list(path, out);
    };
    return source;
}

TEST(OrderedWalkFaults, ADirectoryThatCannotBeListedIsAFailureInItsPlace) {
    for (const std::string path :
         {"/t", "/t/d0", "/t/d1", "/t/d2", "/t/d0/d0", "/t/d1/d2/d0", "/t/d2/d2/d2"}) {
        for (const Operation operation : {Operation::open, Operation::read}) {
            SCOPED_TRACE(std::string(to_string(operation)) + " " + path);
            for (const OrderedWalkOptions& options : kinds()) {
                const auto fs = faulty_at_t(tree_of_40, error_at(operation, path, EACCES));
                const auto source = failing_source(tree_of_40, path, EACCES);
                expect_as_serial(fs, source, "/t", options);
                expect_as_serial(fs, source, "/t", options, settle_each);
            }
        }
    }
}

TEST(OrderedWalkFaults, AListingThatFailsHalfWayIsAFailureWithoutNames) {
    const SyntheticTree wide{3, 3'000, 1};
    for (const OrderedWalkOptions& options : kinds()) {
        const auto counter = std::make_shared<CallCounter>();
        const auto fs = faulty_at_t(wide, [counter](const FaultyCall& call) {
            const bool second = call.operation == Operation::read && call.path == "/t/d1" &&
                                counter->count(call) % 2 == 0;
            return Fault{second ? EIO : 0};
        });
        expect_as_serial(fs, failing_source(wide, "/t/d1", EIO), "/t", options, settle_each);
    }
}

TEST(OrderedWalkFaults, WhatFailedOnlyAheadIsListedWhenDue) {
    for (const Operation operation : {Operation::open, Operation::read}) {
        for (const OrderedWalkOptions& options : kinds()) {
            if (options.max_threads == 1 || !options.topdown) continue;
            const auto counter = std::make_shared<CallCounter>();
            const auto fs = faulty_at_t(tree_of_40, [=](const FaultyCall& call) {
                const bool fails =
                    call.operation == operation && call.path != "/t" && counter->count(call) == 1;
                return Fault{fails ? ESTALE : 0};
            });
            DrivenWalk walk(fs, "/t", options);
            ASSERT_TRUE(walk.next());
            walk.settle();
            const auto child = walk.next();
            ASSERT_TRUE(child);
            EXPECT_EQ(child->error, 0);
            EXPECT_EQ(child->directories.size(), 3U);
            EXPECT_EQ(walk.core().counts().reread, 1U);
        }
    }
}

TEST(OrderedWalkFaults, WithoutAnyStatTheWalkIsTheSame) {
    for (const OrderedWalkOptions& options : kinds()) {
        const auto fs = faulty_at_t(tree_of_40, [](const FaultyCall& call) {
            return Fault{call.operation == Operation::stat ? EIO : 0};
        });
        const Counts counts =
            expect_as_serial(fs, computed_source(tree_of_40, "/t"), "/t", options, settle_each);
        EXPECT_EQ(counts.reused, 0U) << "nothing can be checked";
    }
}

TEST(OrderedWalkFaults, WhatIsThrownBelowEndsTheWalkAndLeavesNext) {
    for (const OrderedWalkOptions& options : kinds()) {
        const auto fs = faulty_at_t(tree_of_40, [](const FaultyCall& call) {
            if (call.path == "/t/d1/d1") throw std::runtime_error("below");
            return Fault{};
        });
        DrivenWalk walk(fs, "/t", options);
        const auto go_on = [&] {
            while (walk.next()) {
            }
        };
        EXPECT_THROW(go_on(), std::runtime_error);
        EXPECT_FALSE(walk.next());
        EXPECT_FALSE(walk.next());
    }
}

TEST(OrderedWalkFaults, ReadersOutliveWhatIsThrownInTheMiddleOfAStep) {
    OrderedWalkOptions options;
    options.max_threads = 2;  // one reader
    Awaited below;
    const auto fs = faulty_at_t({10, 1, 3}, [&below](const FaultyCall& call) {
        if (call.operation == Operation::stat) throw std::runtime_error("when it is due");
        const bool first = call.operation == Operation::open && call.path == "/t/d0/d0";
        if (first) below.add();
        return first ? testing::hang : Fault{};
    });
    DrivenWalk walk(fs, "/t", options);
    ASSERT_TRUE(walk.next());
    ASSERT_TRUE(below.reaches(1)) << "/t/d0 has been listed, and what is in it is being";
    EXPECT_THROW((void)walk.next(), std::runtime_error);
    fs->release();
    walk.settle();  // the reader goes on with what else is in /t/d0
    EXPECT_FALSE(walk.next());
}

TEST(OrderedWalkFaults, WhatTheCallerThrowsEndsTheWalkAndLeavesNext) {
    struct Caller final : WalkCaller {
        std::optional<std::vector<std::string>> edited(const Listing&) override {
            if (throws_on_edit) throw std::runtime_error("edited");
            return std::nullopt;
        }
        bool child(std::size_t, std::size_t, const std::string&, std::string&) override {
            throw std::runtime_error("child");
        }
        bool throws_on_edit = false;
    };
    for (const OrderedWalkOptions& options : kinds()) {
        if (!options.topdown) continue;
        for (const bool on_edit : {false, true}) {
            Caller caller;
            caller.throws_on_edit = on_edit;
            OrderedWalk walk(make_synthetic_file_system(tree_of_40, "/t"), "/t", options, caller);
            ASSERT_EQ(walk.next(), Step::directory);
            EXPECT_THROW((void)walk.next(), std::runtime_error);
            EXPECT_EQ(walk.next(), Step::end);
        }
    }
}

}  // namespace
}  // namespace filetree
