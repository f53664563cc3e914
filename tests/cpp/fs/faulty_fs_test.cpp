#include "filetree/faulty_fs.hpp"

#include <gtest/gtest.h>

#include <future>
#include <map>
#include <mutex>
#include <thread>

#include "filetree/synthetic_fs.hpp"
#include "support/awaited.hpp"
#include "support/call.hpp"

namespace filetree {
namespace {

using testing::Awaited;
using testing::Caller;
using testing::patience;
using testing::read_all;
using testing::stat_name;

std::shared_ptr<FileSystem> small_tree() { return make_synthetic_file_system({2, 3, 2}); }

FaultPolicy fails(Operation operation, std::string path, int error) {
    return [=](const FaultyCall& call) {
        return Fault{call.operation == operation && call.path == path ? error : 0};
    };
}

TEST(FaultyFs, IsTheFileSystemBelowWhereThePolicyHasNoFault) {
    FaultyFileSystem fs(small_tree(), [](const FaultyCall&) { return Fault{}; });
    Caller caller;
    const auto top = fs.open("t", caller.context);
    ASSERT_EQ(top.error, 0);
    Listing listing;
    ASSERT_EQ(read_all(*top.value, listing, caller.context), 0);
    EXPECT_EQ(listing.size(), 5U);
    EXPECT_EQ(stat_name(*top.value, "f2.dat", caller.context).attributes.size,
              SyntheticTree::file_size(2));
    EXPECT_EQ(top.value->attributes(caller.context).error, 0);
    EXPECT_EQ(fs.descriptor_budget(), small_tree()->descriptor_budget());
}

TEST(FaultyFs, FailsTheCallThatThePolicyNamesAndNoOther) {
    Caller caller;
    FaultyFileSystem fs(small_tree(), fails(Operation::stat, "t/d1/f0.dat", EIO));
    const auto top = fs.open("t", caller.context).value;
    const auto below = top->open("d1", caller.context);
    ASSERT_EQ(below.error, 0);
    EXPECT_EQ(stat_name(*below.value, "f0.dat", caller.context).error, EIO);
    EXPECT_EQ(stat_name(*below.value, "f1.dat", caller.context).error, 0);
    EXPECT_EQ(stat_name(*top, "f0.dat", caller.context).error, 0);
}

TEST(FaultyFs, FailsOpensAndReads) {
    Caller caller;
    FaultyFileSystem unopened(small_tree(), fails(Operation::open, "t/d0", EACCES));
    EXPECT_EQ(unopened.open("t", caller.context).value->open("d0", caller.context).error, EACCES);
    FaultyFileSystem no_top(small_tree(), fails(Operation::open, "t", ESTALE));
    EXPECT_EQ(no_top.open("t", caller.context).error, ESTALE);
    FaultyFileSystem unread(small_tree(), fails(Operation::read, "t", EIO));
    Listing listing;
    EXPECT_EQ(unread.open("t", caller.context).value->read(listing, caller.context).error, EIO);
    EXPECT_TRUE(listing.empty());
}

TEST(FaultyFs, FailsTheStatOfAPathAndNoOtherCallOnIt) {
    Caller caller;
    FaultyFileSystem fs(make_synthetic_file_system({2, 3, 2}, "/t"),
                        fails(Operation::stat, "/t/d1", EIO));
    EXPECT_EQ(fs.attributes("/t/d1", true, StatMask::change, caller.context).error, EIO);
    EXPECT_EQ(fs.attributes("/t/d1", false, StatMask::type, caller.context).error, EIO);
    EXPECT_EQ(fs.attributes("/t/d0", true, StatMask::change, caller.context).error, 0);
    EXPECT_EQ(fs.attributes("/t/d9", true, StatMask::change, caller.context).error, ENOENT);
    const auto opened = fs.open("/t/d1", caller.context);
    ASSERT_EQ(opened.error, 0);
    const StatResult own = opened.value->attributes(caller.context);
    EXPECT_EQ(own.error, 0);
    EXPECT_TRUE(opened.value->dates_changes(own.attributes, caller.context));
}

TEST(FaultyFs, AsksThePolicyOnceForEachCall) {
    std::map<std::pair<Operation, std::string>, int> calls;
    FaultyFileSystem fs(small_tree(), [&](const FaultyCall& call) {
        ++calls[{call.operation, std::string(call.path)}];
        return Fault{};
    });
    Caller caller;
    const auto top = fs.open("t", caller.context).value;
    Listing listing;
    ASSERT_TRUE(top->read(listing, caller.context).ok());
    std::vector<StatResult> results(listing.size());
    ASSERT_EQ(top->stat(listing, 1, 4, StatMask::all, results.data(), caller.context), 3U);
    EXPECT_EQ((calls[{Operation::open, "t"}]), 1);
    EXPECT_EQ((calls[{Operation::read, "t"}]), 1);
    EXPECT_EQ((calls[{Operation::stat, "t/d1"}]), 1);
    EXPECT_EQ((calls[{Operation::stat, "t/f1.dat"}]), 1);
    EXPECT_EQ(calls.size(), 5U);
}

TEST(FaultyFs, AHangingCallEndsWhenReleased) {
    const auto hanging = std::make_shared<Awaited>();
    FaultyFileSystem fs(small_tree(), [hanging](const FaultyCall& call) {
        const bool hangs = call.path == "t/d0";
        if (hangs) hanging->add();
        return Fault{0, {}, hangs};
    });
    Caller caller;
    const auto top = fs.open("t", caller.context).value;
    auto opening = std::async(std::launch::async, [&] {
        Caller own;
        return top->open("d0", own.context).error;
    });
    ASSERT_TRUE(hanging->reaches(1));
    EXPECT_NE(opening.wait_for(std::chrono::milliseconds(20)), std::future_status::ready);
    fs.release();
    ASSERT_EQ(opening.wait_for(patience), std::future_status::ready);
    EXPECT_EQ(opening.get(), 0);
    EXPECT_EQ(top->open("d0", caller.context).error, 0) << "what is released hangs no more";
}

TEST(FaultyFs, WaitsAsLongAsThePolicySays) {
    FaultyFileSystem fs(small_tree(), [](const FaultyCall&) {
        return Fault{0, std::chrono::milliseconds(20), false};
    });
    Caller caller;
    const auto begun = std::chrono::steady_clock::now();
    ASSERT_EQ(fs.open("t", caller.context).error, 0);
    EXPECT_GE(std::chrono::steady_clock::now() - begun, std::chrono::milliseconds(20));
}

TEST(FaultyFs, CountsTheDirectoriesThatAreOpen) {
    FaultyFileSystem fs(small_tree(), [](const FaultyCall&) { return Fault{}; });
    Caller caller;
    {
        const auto top = fs.open("t", caller.context).value;
        const auto below = top->open("d0", caller.context);
        EXPECT_EQ(fs.open_directories(), 2U);
    }
    EXPECT_EQ(fs.open_directories(), 0U);
    EXPECT_EQ(fs.most_open_directories(), 2U);
}

TEST(FaultyFs, TheDescriptorBudgetCanBeSet) {
    FaultyFileSystem fs(small_tree(), [](const FaultyCall&) { return Fault{}; });
    fs.set_descriptor_budget(17);
    EXPECT_EQ(fs.descriptor_budget(), 17U);
}

TEST(FaultyFs, AStatStopsBetweenNamesWhenAskedTo) {
    Caller caller;
    FaultyFileSystem fs(small_tree(), [&](const FaultyCall& call) {
        if (call.path == "t/d1") caller.stop = true;
        return Fault{};
    });
    const auto top = fs.open("t", caller.context).value;
    Listing listing;
    ASSERT_TRUE(top->read(listing, caller.context).ok());
    std::vector<StatResult> results(listing.size());
    EXPECT_LE(top->stat(listing, 0, 5, StatMask::all, results.data(), caller.context), 2U);
}

TEST(FaultyFs, ItsDirectoriesOutliveIt) {
    Caller caller;
    auto fs =
        std::make_unique<FaultyFileSystem>(small_tree(), [](const FaultyCall&) { return Fault{}; });
    const auto top = fs->open("t", caller.context).value;
    fs.reset();
    EXPECT_EQ(top->open("d0", caller.context).error, 0);
}

}  // namespace
}  // namespace filetree
