#include "handover_queue.hpp"

#include <gtest/gtest.h>

#include <cerrno>
#include <cstring>
#include <future>
#include <thread>
#include <vector>

#include "support/limits.hpp"
#include "support/spilled_files.hpp"
#include "support/temporary_directory.hpp"

namespace filetree::report {

namespace {

using filetree::testing::open_descriptors;
using filetree::testing::patience;
using filetree::testing::scaled;
using filetree::testing::TemporaryDirectory;
using filetree::testing::truncate_spilled_files;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

// Anything that can be copied byte by byte.
template <class T>
struct PlainCodec {
    static std::string_view dump(const T& piece, ByteBuffer& scratch) {
        scratch.append({reinterpret_cast<const char*>(&piece), sizeof piece});
        return scratch.view();
    }
    static bool restore(ByteBuffer& bytes, T& out) {
        if (bytes.size() != sizeof out) return false;
        std::memcpy(&out, bytes.data(), sizeof out);
        return true;
    }
    static void discard(const T& /*piece*/) {}
};

// For pieces that are never put aside.
struct NoCodec {
    template <class T>
    static std::string_view dump(const T& /*piece*/, ByteBuffer& /*scratch*/) {
        return {};
    }
    template <class T>
    static bool restore(ByteBuffer& /*bytes*/, T& /*out*/) {
        return false;
    }
    template <class T>
    static void discard(const T& /*piece*/) {}
};

using Queue = HandoverQueue<int, PlainCodec<int>>;
using MarkPointer = std::shared_ptr<const Mark>;

// The queue passes marks on without looking, so what they point at may be anything.
MarkPointer mark_at(const std::shared_ptr<int>& number) {
    return {number, reinterpret_cast<const Mark*>(number.get())};
}
MarkPointer mark_of(int number) { return mark_at(std::make_shared<int>(number)); }
int number_of(const MarkPointer& mark) { return *reinterpret_cast<const int*>(mark.get()); }

class HandoverQueueTest : public ::testing::Test {
   protected:
    static constexpr std::size_t limit = 100;

    int pop() {
        int piece = -1;
        EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::piece);
        return piece;
    }
    std::future<bool> push_elsewhere(int piece, std::size_t bytes) {
        return std::async(std::launch::async, [=, this] { return queue.push(piece, bytes); });
    }
    // A push that waits shows in the gauge.
    void await_waiting(std::uint32_t sinks) {
        const auto begun = std::chrono::steady_clock::now();
        while (gauge->waiting_sinks != sinks) {
            ASSERT_LT(std::chrono::steady_clock::now() - begun, patience);
            std::this_thread::yield();
        }
    }

    std::shared_ptr<ConsumerGauge> gauge = std::make_shared<ConsumerGauge>();
    Queue queue{limit, gauge};
    MarkPointer mark;
};

TEST_F(HandoverQueueTest, GivesPiecesInTheirOrder) {
    for (int i = 0; i < 5; ++i) EXPECT_TRUE(queue.push(i, 1));
    for (int i = 0; i < 5; ++i) EXPECT_EQ(pop(), i);
}

TEST_F(HandoverQueueTest, HoldsItsLimitAndNoMore) {
    EXPECT_TRUE(queue.push(1, 60));
    EXPECT_TRUE(queue.push(2, 40));
    auto third = push_elsewhere(3, 1);
    await_waiting(1);
    EXPECT_EQ(third.wait_for(nanoseconds(0)), std::future_status::timeout);
    EXPECT_EQ(pop(), 1);
    EXPECT_TRUE(third.get());
    EXPECT_EQ(gauge->waiting_sinks, 0U);
    EXPECT_EQ(pop(), 2);
    EXPECT_EQ(pop(), 3);
}

TEST_F(HandoverQueueTest, LetsOnePieceLargerThanItsLimitPassWhenEmpty) {
    EXPECT_TRUE(queue.push(1, limit * 10));
    auto second = push_elsewhere(2, limit * 10);
    await_waiting(1);
    EXPECT_EQ(pop(), 1);
    EXPECT_TRUE(second.get());
    EXPECT_EQ(pop(), 2);
}

TEST_F(HandoverQueueTest, ClosingFreesThoseWhoWaitAndDropsTheirPieces) {
    EXPECT_TRUE(queue.push(1, limit));
    auto second = push_elsewhere(2, 1);
    auto third = push_elsewhere(3, 1);
    await_waiting(2);
    queue.close();
    EXPECT_FALSE(second.get());
    EXPECT_FALSE(third.get());
    EXPECT_FALSE(queue.push(4, 1));
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::end);
    EXPECT_EQ(piece, -1);
}

TEST_F(HandoverQueueTest, ClosingWakesTheConsumer) {
    auto consumer = std::async(std::launch::async, [this] {
        int piece = -1;
        return queue.pop(piece, mark, patience);
    });
    queue.close();
    EXPECT_EQ(consumer.get(), Queue::Pop::end);
}

TEST_F(HandoverQueueTest, FinishingLetsWhatIsThereOutFirst) {
    EXPECT_TRUE(queue.push(1, 1));
    queue.finish();
    EXPECT_EQ(pop(), 1);
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::end);
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::end) << "and again";
}

TEST_F(HandoverQueueTest, FinishingWakesTheConsumer) {
    auto consumer = std::async(std::launch::async, [this] {
        int piece = -1;
        return queue.pop(piece, mark, patience);
    });
    queue.finish();
    EXPECT_EQ(consumer.get(), Queue::Pop::end);
}

TEST_F(HandoverQueueTest, WaitsForAPieceNoLongerThanAsked) {
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, milliseconds(5)), Queue::Pop::timeout);
    EXPECT_EQ(piece, -1);
}

TEST_F(HandoverQueueTest, CountsTheCpuTimeOfItsConsumerBetweenPieces) {
    EXPECT_TRUE(queue.push(1, 1));
    EXPECT_TRUE(queue.push(2, 1));
    EXPECT_EQ(pop(), 1);
    volatile unsigned work = 0;
    for (unsigned i = 0; i < 1'000'000; ++i) work = work + i;
    EXPECT_EQ(pop(), 2);
    EXPECT_GT(gauge->cpu_nanoseconds, 0U);
}

TEST_F(HandoverQueueTest, DropsWhatIsInItWhenClosed) {
    const auto counted = std::make_shared<int>(0);
    HandoverQueue<std::shared_ptr<int>, NoCodec> of_pointers(limit, gauge);
    EXPECT_TRUE(of_pointers.push(counted, 1));
    EXPECT_EQ(counted.use_count(), 2);
    of_pointers.close();
    EXPECT_EQ(counted.use_count(), 1);
}

TEST_F(HandoverQueueTest, CarriesEverythingFromManyThreadsToOne) {
    constexpr int producers = 4;
    constexpr int each = 2'000;
    std::vector<std::thread> threads;
    std::atomic<int> living{producers};
    for (int p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < each; ++i) {
                EXPECT_TRUE(queue.push(p * each + i, 1 + static_cast<std::size_t>(i) % 70));
            }
            if (--living == 0) queue.finish();
        });
    }
    std::vector<int> seen(producers * each, 0);
    int piece = -1;
    Queue::Pop result{};
    while ((result = queue.pop(piece, mark, patience)) == Queue::Pop::piece) {
        ++seen.at(static_cast<std::size_t>(piece));
    }
    EXPECT_EQ(result, Queue::Pop::end);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(seen, std::vector<int>(producers * each, 1));
}

TEST_F(HandoverQueueTest, AMarkComesOutInItsPlace) {
    EXPECT_TRUE(queue.push(1, 1));
    queue.push_mark(mark_of(7));
    EXPECT_TRUE(queue.push(2, 1));
    EXPECT_EQ(pop(), 1);
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::mark);
    EXPECT_EQ(piece, -1);
    ASSERT_NE(mark, nullptr);
    EXPECT_EQ(number_of(mark), 7);
    EXPECT_EQ(pop(), 2);
}

TEST_F(HandoverQueueTest, AMarkNeitherWaitsNorTakesRoom) {
    EXPECT_TRUE(queue.push(1, limit));
    for (int i = 0; i < 1'000; ++i) queue.push_mark(mark_of(i));
    EXPECT_EQ(pop(), 1);
    EXPECT_TRUE(queue.push(2, limit));
    int piece = -1;
    for (int i = 0; i < 1'000; ++i) {
        ASSERT_EQ(queue.pop(piece, mark, patience), Queue::Pop::mark);
        ASSERT_EQ(number_of(mark), i);
    }
    EXPECT_EQ(pop(), 2);
}

TEST_F(HandoverQueueTest, AClosedQueueDropsMarks) {
    const auto counted = std::make_shared<int>(1);
    queue.push_mark(mark_at(counted));
    queue.close();
    queue.push_mark(mark_at(counted));
    EXPECT_EQ(counted.use_count(), 1);
}

TEST_F(HandoverQueueTest, AMarkWakesTheConsumer) {
    auto consumer = std::async(std::launch::async, [this] {
        int piece = -1;
        return queue.pop(piece, mark, patience);
    });
    queue.push_mark(mark_of(1));
    EXPECT_EQ(consumer.get(), Queue::Pop::mark);
}

// Everything comes out as it went in, and no push waits, with ever so little memory.
class SpillingQueueTest : public HandoverQueueTest {
   protected:
    TemporaryDirectory directory;
    std::shared_ptr<Spill> spill =
        std::make_shared<Spill>(directory.path(), Spill::Tuning{.file_size = 1'000});
    Queue queue{limit, gauge, spill};

    int pop() {
        int piece = -1;
        EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::piece);
        return piece;
    }
};

TEST_F(SpillingQueueTest, KeepsInMemoryWhatFits) {
    for (int i = 0; i < 7; ++i) EXPECT_TRUE(queue.push(i, 10));
    EXPECT_EQ(spill->written(), 0U);
    EXPECT_EQ(open_descriptors(directory), 0U);
    for (int i = 0; i < 7; ++i) EXPECT_EQ(pop(), i);
}

TEST_F(SpillingQueueTest, KeepsTheOrderOfPiecesInMemoryAndOnDisk) {
    constexpr int count = 5'000;
    int next = 0;
    for (int i = 0; i < count; ++i) {
        EXPECT_TRUE(queue.push(i, 1 + static_cast<std::size_t>(i) % 70));
        if (i % 3 == 0) {  // lets room for some in memory, behind others that are on disk
            EXPECT_EQ(pop(), next++);
        }
    }
    queue.finish();
    while (next < count) EXPECT_EQ(pop(), next++);
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::end);
    EXPECT_GT(spill->written(), 0U);
    EXPECT_EQ(gauge->waiting_sinks, 0U);
}

TEST_F(SpillingQueueTest, AMarkComesBehindWhatIsOnDisk) {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(queue.push(i, 10));
    queue.push_mark(mark_of(7));
    for (int i = 100; i < 110; ++i) EXPECT_TRUE(queue.push(i, 10));
    for (int i = 0; i < 100; ++i) EXPECT_EQ(pop(), i);
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::mark);
    for (int i = 100; i < 110; ++i) EXPECT_EQ(pop(), i);
}

TEST_F(SpillingQueueTest, TakesPiecesLargerThanItsLimit) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(queue.push(i, limit * 10));
    for (int i = 0; i < 20; ++i) EXPECT_EQ(pop(), i);
}

TEST_F(SpillingQueueTest, FreesTheDiskAsItIsReadBackAndLeavesNothing) {
    for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(queue.push(i, 50));
    EXPECT_TRUE(directory.names().empty());
    const std::size_t most = open_descriptors(directory);
    EXPECT_GT(most, 10U);
    for (int i = 0; i < 2'500; ++i) EXPECT_EQ(pop(), i);
    EXPECT_LT(open_descriptors(directory), most);
    for (int i = 2'500; i < 5'000; ++i) EXPECT_EQ(pop(), i);
    EXPECT_LE(open_descriptors(directory), 1U);
}

TEST_F(SpillingQueueTest, ClosingLetsGoOfTheDisk) {
    for (int i = 0; i < 5'000; ++i) EXPECT_TRUE(queue.push(i, 50));
    queue.close();
    EXPECT_LE(open_descriptors(directory), 1U) << "the one to write to next";
    EXPECT_FALSE(queue.push(1, 1));
    int piece = -1;
    EXPECT_EQ(queue.pop(piece, mark, patience), Queue::Pop::end);
}

TEST_F(SpillingQueueTest, AFailingDiskMeansWaiting) {
    const auto failing = std::make_shared<Spill>(directory / "missing",
                                                 Spill::Tuning{.retry_after = milliseconds(1)});
    Queue waiting(limit, gauge, failing);
    EXPECT_TRUE(waiting.push(1, limit));
    auto second = std::async(std::launch::async, [&] { return waiting.push(2, limit); });
    await_waiting(1);
    EXPECT_EQ(second.wait_for(milliseconds(20)), std::future_status::timeout);
    int piece = -1;
    EXPECT_EQ(waiting.pop(piece, mark, patience), Queue::Pop::piece);
    EXPECT_TRUE(second.get());
    EXPECT_EQ(failing->written(), 0U);
    EXPECT_EQ(gauge->waiting_sinks, 0U);
}

TEST_F(SpillingQueueTest, TriesTheDiskAgain) {
    const auto failing = std::make_shared<Spill>(directory / "missing",
                                                 Spill::Tuning{.retry_after = milliseconds(5)});
    Queue waiting(limit, gauge, failing);
    EXPECT_TRUE(waiting.push(1, limit));
    auto second = std::async(std::launch::async, [&] { return waiting.push(2, limit); });
    await_waiting(1);
    directory.add_directory("missing");
    EXPECT_TRUE(second.get()) << "nobody has popped";
    EXPECT_EQ(failing->written(), sizeof(int));
}

TEST_F(SpillingQueueTest, ClosingFreesThoseWhoWaitForTheDisk) {
    const auto failing = std::make_shared<Spill>(
        directory / "missing", Spill::Tuning{.retry_after = std::chrono::hours(1)});
    Queue waiting(limit, gauge, failing);
    EXPECT_TRUE(waiting.push(1, limit));
    auto second = std::async(std::launch::async, [&] { return waiting.push(2, limit); });
    await_waiting(1);
    waiting.close();
    EXPECT_FALSE(second.get());
}

TEST_F(SpillingQueueTest, APieceThatCannotBeReadBackIsAnErrorAndStaysOne) {
    for (int i = 0; i < 20; ++i) EXPECT_TRUE(queue.push(i, limit));
    EXPECT_EQ(pop(), 0);
    ASSERT_GT(truncate_spilled_files(directory), 0U);
    for (int again = 0; again < 2; ++again) {
        try {
            pop();
            FAIL() << "pop() must throw";
        } catch (const SystemError& error) {
            EXPECT_EQ(error.error(), EIO);
            EXPECT_EQ(error.path(), directory.path());
        }
    }
    EXPECT_FALSE(queue.push(1, 1)) << "nobody consumes any more";
}

// A piece that knows how many of its kind there are; one that was moved from is none.
class Counted {
   public:
    Counted() = default;
    explicit Counted(int number) : number_(number) { note(+1); }
    Counted(Counted&& other) noexcept : number_(std::exchange(other.number_, none)) {}
    Counted& operator=(Counted&& other) noexcept {
        std::swap(number_, other.number_);
        return *this;
    }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() {
        if (number_ != none) note(-1);
    }

    [[nodiscard]] int number() const noexcept { return number_; }
    static int most() noexcept { return most_; }

   private:
    static void note(int change) noexcept {
        const int now = living_ += change;
        int most = most_;
        while (now > most && !most_.compare_exchange_weak(most, now)) {
        }
    }
    static inline std::atomic<int> living_{0};
    static inline std::atomic<int> most_{0};
    static constexpr int none = -1;
    int number_ = none;
};

struct CountedCodec {
    static std::string_view dump(const Counted& piece, ByteBuffer& scratch) {
        return PlainCodec<int>::dump(piece.number(), scratch);
    }
    static bool restore(ByteBuffer& bytes, Counted& out) {
        int number = 0;
        if (!PlainCodec<int>::restore(bytes, number)) return false;
        out = Counted(number);
        return true;
    }
    static void discard(const Counted& /*piece*/) {}
};

TEST_F(SpillingQueueTest, HoldsItsLimitInMemoryForASlowConsumerOfManyThreads) {
    constexpr int producers = 4;
    const int each = static_cast<int>(scaled(20'000));
    constexpr std::size_t piece_size = limit / 10;
    HandoverQueue<Counted, CountedCodec> counted(limit, gauge, spill);
    std::vector<std::thread> threads;
    std::atomic<int> living{producers};
    for (int p = 0; p < producers; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < each; ++i) {
                EXPECT_TRUE(counted.push(Counted(p * each + i), piece_size));
            }
            if (--living == 0) counted.finish();
        });
    }
    std::vector<int> last(producers, -1);
    int seen = 0;
    Counted piece;
    while (counted.pop(piece, mark, patience) == decltype(counted)::Pop::piece) {
        const auto from = static_cast<std::size_t>(piece.number() / each);
        EXPECT_EQ(piece.number() % each, last.at(from) + 1) << "of one thread's, in its order";
        last.at(from) = piece.number() % each;
        if (++seen % 1'000 == 0) std::this_thread::sleep_for(milliseconds(1));
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(seen, producers * each);
    EXPECT_GT(spill->written(), 0U);
    // The queue's ten, what each producer has in hand, and what the consumer has and gets.
    EXPECT_LE(Counted::most(), 10 + producers + 2);
}

TEST_F(SpillingQueueTest, MarksOfOneThreadComeBehindWhatItPushed) {
    constexpr int each = 500;
    std::vector<std::thread> threads;
    std::atomic<int> living{2};
    for (int p = 0; p < 2; ++p) {
        threads.emplace_back([&, p] {
            for (int i = 0; i < each; ++i) {
                EXPECT_TRUE(queue.push(p * each + i, 30));
                queue.push_mark(mark_of(p * each + i));
            }
            if (--living == 0) queue.finish();
        });
    }
    std::vector<bool> seen(2 * each);
    int marks = 0;
    int piece = -1;
    Queue::Pop result{};
    while ((result = queue.pop(piece, mark, patience)) != Queue::Pop::end) {
        ASSERT_NE(result, Queue::Pop::timeout);
        if (result == Queue::Pop::piece) {
            seen.at(static_cast<std::size_t>(piece)) = true;
        } else {
            ++marks;
            EXPECT_TRUE(seen.at(static_cast<std::size_t>(number_of(mark))));
        }
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(marks, 2 * each);
}

}  // namespace
}  // namespace filetree::report
