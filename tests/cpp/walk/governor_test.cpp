#include "governor.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <random>

namespace filetree::walk {
namespace {

using std::chrono::duration;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;
using std::chrono::seconds;

// A machine and its storage: what `threads` threads achieve, in calls a second.
struct Machine {
    unsigned cores = 2;
    double cpu_per_call = 1e-6;    // seconds
    double latency = 0;            // seconds a call waits
    double most_in_storage = 1e9;  // calls that the storage serves at once

    [[nodiscard]] double rate(unsigned threads) const {
        const double waiting = latency > 0 ? std::min<double>(threads, most_in_storage) / latency
                                           : static_cast<double>(threads) / cpu_per_call;
        const double each = static_cast<double>(threads) / (latency + cpu_per_call);
        return std::min({waiting, each, cores / cpu_per_call});
    }
};

// Lets a governor drive a machine in simulated time.
class Simulation {
   public:
    Simulation(Machine machine_, unsigned ceiling)
        : machine(machine_), governor(machine_.cores, ceiling) {}

    // Runs for `time`; returns the limit averaged over it.
    double run(nanoseconds time) {
        const nanoseconds end = sample.wall + time;
        double weighted = 0;
        while (sample.wall < end) {
            const nanoseconds step = governor.next_sample_after();
            EXPECT_GT(step.count(), 0) << "time must pass";
            const double span = duration<double>(step).count();
            const double calls = machine.rate(governor.limit()) * span * noise();
            calls_ += calls;
            sample.wall += step;
            sample.calls = static_cast<std::uint64_t>(calls_);
            sample.cpu += std::chrono::duration_cast<nanoseconds>(
                duration<double>(std::min(calls * machine.cpu_per_call, machine.cores * span)));
            weighted += governor.limit() * span;
            highest = std::max(highest, governor.update(sample));
        }
        return weighted / duration<double>(time).count();
    }
    // Simulated time until the limit is reached; no longer than `longest`.
    nanoseconds time_to_reach(unsigned limit, nanoseconds longest) {
        const nanoseconds begun = sample.wall;
        while (governor.limit() < limit && sample.wall - begun < longest) run(milliseconds(1));
        return sample.wall - begun;
    }

    Machine machine;
    Governor governor;
    Governor::Sample sample;
    unsigned highest = 0;
    double noise_share = 0;

   private:
    double noise() {
        return std::uniform_real_distribution<double>(1 - noise_share, 1 + noise_share)(random_);
    }
    std::mt19937 random_{42};
    double calls_ = 0;
};

constexpr Machine warm_disk{2, 1e-6, 0};
constexpr Machine slow_storage{2, 5e-6, 1e-3};

TEST(Governor, BeginsAtTheCoreCountWithinTheCeiling) {
    EXPECT_EQ(Governor(4, 128).limit(), 4U);
    EXPECT_EQ(Governor(8, 3).limit(), 3U);
    EXPECT_EQ(Governor(0, 0).limit(), 1U);
}

TEST(Governor, StaysAtTheCoreCountOnAWarmLocalDisk) {
    for (const unsigned cores : {1U, 2U, 8U, 64U}) {
        Simulation simulation({cores, 1e-6, 0}, 128);
        simulation.run(seconds(20));
        EXPECT_EQ(simulation.highest, cores);
    }
}

TEST(Governor, StaysNearTheCoreCountOnAWarmLocalDiskWithNoise) {
    Simulation simulation(warm_disk, 128);
    simulation.noise_share = 0.1;
    EXPECT_LT(simulation.run(seconds(20)), 3.0);
}

TEST(Governor, ReachesTheCeilingOnSlowStorageWithinAFractionOfASecond) {
    Simulation simulation(slow_storage, 128);
    EXPECT_LT(simulation.time_to_reach(128, seconds(10)), milliseconds(250));
    EXPECT_GT(simulation.run(seconds(5)), 127.0) << "and stays";
}

TEST(Governor, ReachesTheCeilingWhateverTheLatency) {
    for (const double latency : {200e-6, 1e-3, 10e-3, 100e-3}) {
        SCOPED_TRACE(latency);
        Simulation simulation({4, 5e-6, latency}, 64);
        EXPECT_LT(simulation.time_to_reach(64, seconds(60)), seconds(3));
        EXPECT_GT(simulation.run(seconds(5)), 60.0);
    }
}

TEST(Governor, ReachesTheCeilingInSpiteOfNoise) {
    Simulation simulation(slow_storage, 128);
    simulation.noise_share = 0.2;
    EXPECT_LT(simulation.time_to_reach(128, seconds(60)), seconds(5));
}

TEST(Governor, SettlesNearWhereTheRateStopsRising) {
    for (const unsigned cores : {2U, 4U}) {
        SCOPED_TRACE(cores);
        Simulation simulation({cores, 5e-6, 1e-3, 16}, 128);
        simulation.run(seconds(5));
        const double average = simulation.run(seconds(20));
        EXPECT_GE(average, 15.0);
        EXPECT_LE(average, 48.0);
    }
}

TEST(Governor, TriesAgainWhenTheStorageBeginsToRewardThreads) {
    Simulation simulation({2, 5e-6, 1e-3, 8}, 128);
    simulation.run(seconds(5));
    EXPECT_LT(simulation.governor.limit(), 64U);
    simulation.machine.most_in_storage = 1e9;
    EXPECT_LT(simulation.time_to_reach(128, seconds(60)), seconds(10));
}

TEST(Governor, RetreatsToTheCoreCountWhenTheWorkBecomesCpuBound) {
    Simulation simulation(slow_storage, 128);
    simulation.run(seconds(1));
    ASSERT_EQ(simulation.governor.limit(), 128U);
    simulation.machine = warm_disk;
    simulation.run(seconds(5));
    EXPECT_EQ(simulation.governor.limit(), 2U);
}

TEST(Governor, UndoesARetreatThatCostsRate) {
    // The cores are busy, and yet each thread that goes takes its share of the rate with it.
    Simulation simulation(slow_storage, 128);
    simulation.run(seconds(1));
    Governor::Sample& sample = simulation.sample;
    double weighted = 0;
    for (int i = 0; i < 400; ++i) {
        const unsigned limit = simulation.governor.limit();
        sample.wall += milliseconds(25);
        sample.cpu += milliseconds(50);
        sample.calls += 1000 * limit;
        weighted += limit;
        simulation.governor.update(sample);
    }
    EXPECT_GT(weighted / 400, 110.0);
}

TEST(Governor, ChangesNothingWhileTheConsumerIsTheLimit) {
    Simulation simulation(slow_storage, 128);
    simulation.sample.backpressure = true;
    simulation.run(seconds(5));
    EXPECT_EQ(simulation.highest, 2U);
    simulation.sample.backpressure = false;
    EXPECT_LT(simulation.time_to_reach(128, seconds(10)), milliseconds(250));
}

TEST(Governor, ChangesNothingWhileNoWorkWaits) {
    Simulation simulation(slow_storage, 128);
    simulation.run(seconds(1));
    ASSERT_EQ(simulation.governor.limit(), 128U);
    simulation.sample.starved = true;
    simulation.machine.latency = 1;
    simulation.run(seconds(5));
    EXPECT_EQ(simulation.governor.limit(), 128U);
}

TEST(Governor, DrawsNoConclusionFromAHandfulOfCalls) {
    Governor governor(4, 128);
    Governor::Sample sample;
    for (int i = 0; i < 40; ++i) {
        sample.wall += milliseconds(5);
        sample.calls += i % 10 == 0 ? 1 : 0;
        EXPECT_EQ(governor.update(sample), 4U);
    }
}

TEST(Governor, StaysWithinItsBoundsWhateverItIsTold) {
    std::mt19937 random(7);
    for (int run = 0; run < 50; ++run) {
        const auto cores = static_cast<unsigned>(1 + random() % 16);
        const auto ceiling = static_cast<unsigned>(1 + random() % 300);
        Governor governor(cores, ceiling);
        Governor::Sample sample;
        for (int i = 0; i < 2'000; ++i) {
            sample.wall += nanoseconds(random() % 60'000'000);
            sample.cpu += nanoseconds(random() % 200'000'000);
            sample.calls += random() % 100'000;
            sample.starved = random() % 10 == 0;
            sample.backpressure = random() % 10 == 0;
            const unsigned limit = governor.update(sample);
            ASSERT_GE(limit, std::min(cores, ceiling));
            ASSERT_LE(limit, ceiling);
            ASSERT_EQ(limit, governor.limit());
            ASSERT_GT(governor.next_sample_after().count(), 0);
        }
    }
}

}  // namespace
}  // namespace filetree::walk
