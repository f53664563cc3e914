// Walks whose consumers throw: the walk ends, and the exception is the caller's to see.

#include <gtest/gtest.h>

#include <stdexcept>
#include <thread>

#include "support/faults.hpp"
#include "support/limits.hpp"
#include "support/tally.hpp"

namespace filetree {
namespace {

using std::chrono::milliseconds;
using testing::fault_at;
using testing::faulty;
using testing::hang;
using testing::patience;

struct Thrown : std::runtime_error {
    using std::runtime_error::runtime_error;
};

enum class Throws { making, entries, directory, flush };

class ThrowingSink final : public EntrySink {
   public:
    explicit ThrowingSink(Throws throws) : throws_(throws) {
        if (throws == Throws::making) throw Thrown("making");
    }
    void entries(const WalkedDirectory& /*parent*/, const Listing& /*names*/,
                 std::span<const std::uint32_t> /*selected*/, std::size_t /*first*/,
                 const StatResult* /*stats*/) override {
        if (throws_ == Throws::entries) throw Thrown("entries");
    }
    void directory(const WalkedDirectory& directory, const DirectoryTotals& /*totals*/) override {
        const bool below_top = directory.depth() >= 0;
        if (throws_ == Throws::directory && below_top) throw Thrown("directory");
    }
    void flush() override {
        if (throws_ == Throws::flush) throw Thrown("flush");
    }

   private:
    Throws throws_;
};

SinkFactory throwing(Throws throws) {
    return [throws] { return std::make_unique<ThrowingSink>(throws); };
}

void expect_failure(const Walk& walk, const std::string& what) {
    const std::exception_ptr failure = walk.failure();
    ASSERT_NE(failure, nullptr);
    try {
        std::rethrow_exception(failure);
    } catch (const Thrown& thrown) {
        EXPECT_EQ(thrown.what(), what);
    }
}

TEST(WalkFailure, IsWhatASinkThrew) {
    const std::pair<Throws, const char*> cases[] = {{Throws::making, "making"},
                                                    {Throws::entries, "entries"},
                                                    {Throws::directory, "directory"},
                                                    {Throws::flush, "flush"}};
    for (const auto& [throws, what] : cases) {
        SCOPED_TRACE(what);
        Walk walk(make_synthetic_file_system({5, 50, 3}), "t", {}, throwing(throws));
        ASSERT_TRUE(walk.wait_finished(patience));
        expect_failure(walk, what);
        EXPECT_TRUE(walk.wait_started(patience).has_value());
    }
}

// Where storage is slow, workers share the names of a directory, which is kept open meanwhile.
TEST(WalkFailure, IsWhatASinkThrewAtTheEndOfADirectoryThatIsKeptOpen) {
    WalkOptions options;
    options.max_inflight = 1;
    const auto fs = faulty({1, 50, 1}, [](const FaultyCall& call) {
        return Fault{0, milliseconds(call.operation == Operation::stat ? 1 : 0)};
    });
    Walk walk(fs, "t", options, throwing(Throws::directory));
    ASSERT_TRUE(walk.wait_finished(patience));
    expect_failure(walk, "directory");
}

// The end of a worker that hangs is the watchdog's work, which must bear what a sink throws too.
TEST(WalkFailure, IsWhatASinkThrewWhenItsWorkerHung) {
    for (const auto& [throws, what] :
         {std::pair{Throws::directory, "directory"}, std::pair{Throws::flush, "flush"}}) {
        SCOPED_TRACE(what);
        WalkOptions options;
        options.stall_timeout = milliseconds(1000);
        options.max_inflight = 1;
        const auto fs = faulty({1, 0, 1}, fault_at(Operation::open, "t/d0", hang));
        Walk walk(fs, "t", options, throwing(throws));
        EXPECT_TRUE(walk.wait_finished(patience));
        expect_failure(walk, what);
        fs->release();
    }
}

TEST(WalkFailure, StopsAWalkThatWouldGoOnForLong) {
    Walk walk(make_synthetic_file_system({10, 100, 9}), "t", {}, throwing(Throws::entries));
    ASSERT_TRUE(walk.wait_finished(patience));
    EXPECT_TRUE(walk.cancelled());
    EXPECT_LT(walk.progress().entries(), SyntheticTree({10, 100, 9}).total_files());
}

TEST(WalkFailure, ASoundWalkHasNone) {
    Walk walk(make_synthetic_file_system({1, 1, 1}), "t", {},
              testing::into(std::make_shared<testing::Tally>()));
    ASSERT_TRUE(walk.wait_finished(patience));
    EXPECT_EQ(walk.failure(), nullptr);
}

}  // namespace
}  // namespace filetree
