// Ordered walks where what is listed ahead does not return.

#include <gtest/gtest.h>

#include <chrono>
#include <future>
#include <stdexcept>
#include <thread>

#include "support/awaited.hpp"
#include "support/driven_walk.hpp"
#include "support/faults.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::Awaited;
using testing::computed_source;
using testing::DrivenWalk;
using testing::hang;
using testing::patience;
using testing::SerialWalk;
using testing::signals_when_gone;
using testing::Visit;

constexpr SyntheticTree tree_of_21{4, 2, 2};  // 21 directories

struct Interrupted : std::runtime_error {
    Interrupted() : std::runtime_error("interrupted") {}
};

// A walk of a tree where the calls at some paths hang. In the end they are released, and no thread
// may be left.
class OrderedWalkHang : public ::testing::Test {
   protected:
    OrderedWalkHang() { options.max_threads = 2; }

    void begin(FaultPolicy policy) {
        fs = std::make_shared<FaultyFileSystem>(
            make_synthetic_file_system(tree_of_21, "/t"),
            [policy = std::move(policy), hangs = hanging,
             signal = signals_when_gone(gone)](const FaultyCall& call) {
                const Fault fault = policy(call);
                if (fault.hang) hangs->add();
                return fault;
            });
        walk = std::make_unique<DrivenWalk>(fs, "/t", options);
    }
    void begin_with_hang_at(const std::string& path, Operation operation = Operation::open) {
        begin(testing::fault_at(operation, path, hang));
    }
    // On storage so slow that the consumer leaves every call to a reader.
    void begin_slow_with_hang_at(const std::string& path, Operation operation = Operation::open) {
        begin([=](const FaultyCall& call) {
            if (call.operation == operation && call.path == path) return hang;
            return Fault{0, milliseconds(call.operation == Operation::open ? 1 : 0)};
        });
    }
    void TearDown() override {
        fs->release();
        walk.reset();
        fs.reset();
        EXPECT_TRUE(gone->reaches(1)) << "a thread was left";
    }
    // All that is left of the walk, the directories under the names in `pruned` left out.
    void expect_rest(SerialWalk& oracle, const std::string& pruned = {}) const {
        for (auto expected = oracle.next(); expected; expected = oracle.next()) {
            const auto found = walk->next();
            ASSERT_EQ(found, expected);
            std::erase(walk->dirnames(), pruned);
            if (options.topdown) oracle.dirnames() = walk->dirnames();
        }
        EXPECT_FALSE(walk->next());
    }

    OrderedWalkOptions options;
    std::shared_ptr<Awaited> hanging = std::make_shared<Awaited>();
    std::shared_ptr<Awaited> gone = std::make_shared<Awaited>();
    std::shared_ptr<FaultyFileSystem> fs;
    std::unique_ptr<DrivenWalk> walk;
};

TEST_F(OrderedWalkHang, ADirectoryThatIsPrunedMayHang) {
    for (const Operation operation : {Operation::open, Operation::read}) {
        for (const unsigned threads : {2U, 4U}) {
            for (const char* name : {"d0", "d2"}) {
                options.max_threads = threads;
                gone = std::make_shared<Awaited>();
                hanging = std::make_shared<Awaited>();
                begin_with_hang_at(std::string("/t/") + name, operation);
                SerialWalk oracle(computed_source(tree_of_21, "/t"), "/t", options);
                ASSERT_EQ(walk->next(), oracle.next());
                ASSERT_TRUE(hanging->reaches(1)) << "a reader is stuck";
                std::erase(walk->dirnames(), name);
                oracle.dirnames() = walk->dirnames();
                expect_rest(oracle);
                if (HasFatalFailure()) return;
                TearDown();
            }
        }
    }
    begin_with_hang_at("nowhere");
}

TEST_F(OrderedWalkHang, WhatComesBeforeADirectoryThatHangsIsFound) {
    for (const bool topdown : {true, false}) {
        options.topdown = topdown;
        gone = std::make_shared<Awaited>();
        hanging = std::make_shared<Awaited>();
        begin_slow_with_hang_at("/t/d3/d0");
        SerialWalk oracle(computed_source(tree_of_21, "/t"), "/t", options);
        ASSERT_EQ(walk->next(), oracle.next());
        ASSERT_TRUE(hanging->reaches(1));
        int waited = 0;
        walk->on_waiting = [&] {
            if (++waited == 2) fs->release();
        };
        expect_rest(oracle);
        EXPECT_GE(waited, 2) << "the walk waited for what hung, and used what came of it";
        if (HasFatalFailure()) return;
        TearDown();
    }
    begin_with_hang_at("nowhere");
}

TEST_F(OrderedWalkHang, AWalkThatWaitsCanBeInterrupted) {
    for (const bool topdown : {true, false}) {
        options.topdown = topdown;
        gone = std::make_shared<Awaited>();
        hanging = std::make_shared<Awaited>();
        begin_slow_with_hang_at("/t/d1");
        int waited = 0;
        walk->on_waiting = [&] {
            if (hanging->value() > 0 && ++waited == 3) throw Interrupted();
        };
        const auto go_on = [&] {
            while (walk->next()) {
            }
        };
        EXPECT_THROW(go_on(), Interrupted);
        EXPECT_EQ(waited, 3);
        EXPECT_FALSE(walk->next()) << "what was interrupted is over";
        TearDown();
    }
    begin_with_hang_at("nowhere");
}

// On slow storage the consumer leaves every call to a reader.
TEST_F(OrderedWalkHang, WhereStorageIsSlowEvenWhatIsOnlyDueNowCanBeInterrupted) {
    const auto consumer = std::this_thread::get_id();
    const auto by_consumer = std::make_shared<Awaited>();
    begin([=](const FaultyCall& call) {
        if (call.operation != Operation::open) return Fault{};
        if (call.path != "/t" && std::this_thread::get_id() == consumer) by_consumer->add();
        return call.path == "/t/d9" ? hang : Fault{0, milliseconds(2)};
    });
    ASSERT_TRUE(walk->next());
    walk->dirnames().insert(walk->dirnames().begin(), "d9");  // nobody knew of it
    walk->on_waiting = [&] {
        if (hanging->value() > 0) throw Interrupted();
    };
    EXPECT_THROW((void)walk->next(), Interrupted);
    EXPECT_EQ(by_consumer->value(), 0);
    EXPECT_FALSE(walk->next());
}

TEST_F(OrderedWalkHang, WhereEveryReaderHangsTheWalkGoesOnByItself) {
    constexpr unsigned readers = 3;
    options.max_threads = readers + 1;
    const auto elsewhere = std::make_shared<Awaited>();
    begin([=, hangs = hanging](const FaultyCall& call) {
        if (call.operation != Operation::open) return Fault{};
        if (call.path.starts_with("/t/d0/")) return hang;
        if (call.path.starts_with("/t/d0") || call.path == "/t") return Fault{};
        // Whoever reads elsewhere finds, when done, that what hangs is next.
        EXPECT_TRUE(hangs->reaches(1));
        elsewhere->add();
        return Fault{};
    });
    SerialWalk oracle(computed_source(tree_of_21, "/t"), "/t", options);
    ASSERT_EQ(walk->next(), oracle.next());
    ASSERT_TRUE(hanging->reaches(readers));
    EXPECT_LT(elsewhere->value(), readers);
    walk->dirnames().erase(walk->dirnames().begin());
    oracle.dirnames() = walk->dirnames();
    expect_rest(oracle);
    EXPECT_GE(elsewhere->value(), 15) << "d1 to d3, and what is in them";
    EXPECT_EQ(hanging->value(), readers);
}

TEST_F(OrderedWalkHang, AWalkIsLeftWhileAReaderHangs) {
    for (const char* path : {"/t/d0", "/t/d3/d3"}) {
        for (const Operation operation : {Operation::open, Operation::read}) {
            gone = std::make_shared<Awaited>();
            hanging = std::make_shared<Awaited>();
            begin_slow_with_hang_at(path, operation);
            ASSERT_TRUE(walk->next());
            ASSERT_TRUE(hanging->reaches(1));
            auto leaving = std::async(std::launch::async, [this] { walk.reset(); });
            EXPECT_EQ(leaving.wait_for(patience), std::future_status::ready)
                << "it waits for what hangs";
            EXPECT_EQ(gone->value(), 0) << "the reader that hangs keeps what it uses";
            fs->release();
            leaving.get();
            TearDown();
        }
    }
    begin_with_hang_at("nowhere");
}

}  // namespace
}  // namespace filetree
