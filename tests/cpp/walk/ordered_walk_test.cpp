// The ordered walk, step by step beside a serial os.walk.

#include "filetree/ordered_walk.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "support/altered_fs.hpp"
#include "support/driven_walk.hpp"
#include "support/ordered_walk_kinds.hpp"

namespace filetree {
namespace {

using std::chrono::microseconds;
using testing::Between;
using testing::both_orders;
using testing::computed_source;
using testing::DrivenWalk;
using testing::expect_as_serial;
using testing::scaled;
using testing::settle_each;
using testing::undated;
using testing::Visit;
using Counts = OrderedWalk::Counts;

Counts expect_computed(const SyntheticTree& tree, const OrderedWalkOptions& options,
                       const Between& between = {}) {
    return expect_as_serial(make_synthetic_file_system(tree, "/t"), computed_source(tree, "/t"),
                            "/t", options, between);
}

TEST(OrderedWalk, GivesTheOrderAndContentOfASerialWalkOfComputedTrees) {
    for (const SyntheticTree tree :
         {SyntheticTree{0, 0, 0}, SyntheticTree{0, 5, 3}, SyntheticTree{1, 1, 30},
          SyntheticTree{3, 2, 4}, SyntheticTree{40, 1, 2}, SyntheticTree{2, 3000, 1},
          SyntheticTree{1500, 0, 1}, SyntheticTree{3, 2, 3, 17}}) {
        for (const unsigned threads : {1U, 2U, 4U}) {
            for (const OrderedWalkOptions& options : both_orders(threads)) {
                const Counts counts = expect_computed(tree, options);
                EXPECT_EQ(counts.reread, 0U) << "nothing has changed";
            }
        }
    }
}

TEST(OrderedWalk, GivesTheSameWhenEverythingWasListedAhead) {
    const SyntheticTree tree{3, 2, 4};  // 121 directories
    for (const unsigned threads : {2U, 5U}) {
        for (const OrderedWalkOptions& options : both_orders(threads)) {
            const Counts counts = expect_computed(tree, options, settle_each);
            EXPECT_EQ(counts.reread, 0U);
            EXPECT_GT(counts.reused, 100U);
            EXPECT_GT(counts.threads_peak, 0U);
        }
    }
}

TEST(OrderedWalk, WithOneThreadReadsNothingAhead) {
    const SyntheticTree tree{3, 2, 3};
    for (const OrderedWalkOptions& options : both_orders(1)) {
        const Counts counts = expect_computed(tree, options, settle_each);
        EXPECT_EQ(counts.direct, tree.total_directories() + 1);
        EXPECT_EQ(counts.threads_peak, 0U);
    }
}

TEST(OrderedWalk, GivesTheSameHoweverSmallTheWindowIs) {
    const SyntheticTree tree{4, 3, 3};  // 85 directories
    for (std::size_t directories = 1; directories <= 8; ++directories) {
        for (OrderedWalkOptions options : both_orders(3)) {
            options.window_directories = directories;
            EXPECT_GT(expect_computed(tree, options, settle_each).reused, 0U);
            expect_computed(tree, options);
        }
    }
    for (const std::size_t bytes : {1U, 100U, 1'000U, 10'000U}) {
        for (OrderedWalkOptions options : both_orders(3)) {
            options.window_bytes = bytes;
            EXPECT_GT(expect_computed(tree, options, settle_each).reused, 0U);
            expect_computed(tree, options);
        }
    }
}

TEST(OrderedWalk, ADirectoryLargerThanTheWindowIsGivenUpAheadAndWholeWhenDue) {
    const SyntheticTree tree{3, 5000, 1};
    for (OrderedWalkOptions options : both_orders(2)) {
        options.window_bytes = 8192;
        const Counts counts = expect_computed(tree, options, settle_each);
        EXPECT_GT(counts.reread, 0U);
        EXPECT_EQ(counts.reused, 0U);
    }
}

TEST(OrderedWalk, AnEmptyWindowMeansThatNothingIsReadAhead) {
    const SyntheticTree tree{4, 3, 2};
    for (const bool of_bytes : {false, true}) {
        for (OrderedWalkOptions options : both_orders(3)) {
            (of_bytes ? options.window_bytes : options.window_directories) = 0;
            const Counts counts = expect_computed(tree, options, settle_each);
            EXPECT_EQ(counts.direct, tree.total_directories() + 1);
        }
    }
}

TEST(OrderedWalk, GivesTheSameWhereDirectoriesDoNotDateTheirChanges) {
    const SyntheticTree tree{3, 2, 3};
    for (const OrderedWalkOptions& options : both_orders(3)) {
        const Counts counts =
            expect_as_serial(undated(make_synthetic_file_system(tree, "/t")),
                             computed_source(tree, "/t"), "/t", options, settle_each);
        EXPECT_EQ(counts.reused, 0U);
    }
}

TEST(OrderedWalk, TheEndStaysTheEnd) {
    for (const OrderedWalkOptions& options : both_orders(2)) {
        DrivenWalk walk(make_synthetic_file_system({2, 1, 1}, "/t"), "/t", options);
        for (int i = 0; i < 3; ++i) ASSERT_TRUE(walk.next());
        for (int i = 0; i < 3; ++i) EXPECT_FALSE(walk.next());
    }
}

TEST(OrderedWalk, MayBeLeftAtAnyStep) {
    const SyntheticTree tree{3, 2, 3};
    for (const OrderedWalkOptions& options : both_orders(3)) {
        for (int steps = 0; steps <= 41; ++steps) {
            DrivenWalk walk(make_synthetic_file_system(tree, "/t"), "/t", options);
            for (int i = 0; i < steps; ++i) ASSERT_EQ(walk.next().has_value(), i < 40);
        }
    }
}

TEST(OrderedWalk, GoesDownAsFarAsATreeIsDeep) {
    const SyntheticTree tree{1, 1, static_cast<std::uint32_t>(scaled(2'000, 4))};
    for (const OrderedWalkOptions& options : both_orders(2)) expect_computed(tree, options);
}

// Short paths, however deep: every path is the top of an endless chain.
class EndlessChain final : public WalkCaller {
   public:
    bool child(std::size_t depth, std::size_t index, const std::string& /*parent*/,
               std::string& path) override {
        if (index > 0 || depth >= deepest) return false;
        path = "t" + std::to_string(depth);
        return true;
    }
    std::size_t deepest = 20'000;
};

TEST(OrderedWalk, TwentyThousandLevelsNeedNoStack) {
    for (const bool early : {false, true}) {
        OrderedWalkOptions options;
        options.max_threads = 2;
        options.early_link_checks = early;
        EndlessChain chain;
        OrderedWalk walk(make_synthetic_file_system({2, 1, 1}), "t", options, chain);
        for (std::size_t i = 0; i <= chain.deepest; ++i) {
            ASSERT_EQ(walk.next(), OrderedWalk::Step::directory);
            ASSERT_EQ(walk.depth(), i);
        }
        EXPECT_EQ(walk.next(), OrderedWalk::Step::end);
    }
}

TEST(OrderedWalk, ADeepWalkIsLeftWithoutRecursion) {
    OrderedWalkOptions options;
    options.max_threads = 2;
    EndlessChain chain;
    OrderedWalk walk(make_synthetic_file_system({2, 1, 1}), "t", options, chain);
    for (std::size_t i = 0; i <= chain.deepest; ++i) {
        ASSERT_EQ(walk.next(), OrderedWalk::Step::directory);
    }
}

TEST(OrderedWalk, AChainReadAheadAsFarAsTheWindowGoesIsLeftWithoutTrouble) {
    OrderedWalkOptions options;
    options.max_threads = 2;
    std::atomic<std::size_t> opened{0};
    // So slow that even a single directory is worth waking a reader.
    const auto fs = std::make_shared<FaultyFileSystem>(
        make_synthetic_file_system({1, 1, 2'000}, "/t"), [&opened](const FaultyCall& call) {
            if (call.operation != Operation::open) return Fault{};
            ++opened;
            return Fault{0, microseconds(300)};
        });
    DrivenWalk walk(fs, "/t", options);
    ASSERT_TRUE(walk.next());
    walk.settle();
    EXPECT_EQ(opened, 1 + options.window_directories);
    ASSERT_TRUE(walk.next());
}

// Delays drawn at random, for other schedules every time; the draw is the seed's and the call's.
class RandomSchedules {
   public:
    explicit RandomSchedules(unsigned seed) : draw(seed) {}

    OrderedWalkOptions options() {
        OrderedWalkOptions out;
        out.topdown = draw() % 2 == 0;
        out.early_link_checks = draw() % 2 == 0;
        out.max_threads = 2 + draw() % 4;
        if (draw() % 2 == 0) out.window_directories = 1 + draw() % 8;
        if (draw() % 3 == 0) out.window_bytes = 1 + draw() % 2'000;
        if (draw() % 3 == 0) out.max_inflight = 1 + draw() % 4;
        return out;
    }

    FaultPolicy delays() {
        const unsigned longest = draw() % 3 == 0 ? 1'000 : 100;
        return [seed = draw(), longest](const FaultyCall& call) {
            std::minstd_rand own(seed + static_cast<unsigned>(call.operation) +
                                 static_cast<unsigned>(std::hash<std::string_view>{}(call.path)));
            own.discard(3);
            return Fault{0, microseconds(own() % 2 == 0 ? 0 : own() % longest)};
        };
    }

    // Removes, adds, repeats and reorders names.
    void edit(std::vector<std::string>& names) {
        if (draw() % 3 != 0) return;
        std::erase_if(names, [&](const std::string&) { return draw() % 4 == 0; });
        if (draw() % 4 == 0) names.insert(names.begin(), "missing");
        if (!names.empty() && draw() % 3 == 0) names.push_back(names[draw() % names.size()]);
        if (draw() % 2 == 0) std::shuffle(names.begin(), names.end(), draw);
    }

    std::mt19937 draw;
};

TEST(OrderedWalk, GivesTheSameOnAnyScheduleWithAnyEdits) {
    const SyntheticTree tree{3, 2, 3};
    std::uint64_t reused = 0;
    for (unsigned seed = 0; seed < scaled(80, 4); ++seed) {
        SCOPED_TRACE("seed " + std::to_string(seed));
        RandomSchedules random(seed);
        const OrderedWalkOptions options = random.options();
        const auto fs = std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree, "/t"),
                                                           random.delays());
        auto source = computed_source(tree, "/t");
        source.list = [list = source.list](const std::string& path, auto& out) {
            return path.ends_with("missing") ? ENOENT : list(path, out);
        };
        const auto edit = [&](const Visit&, DrivenWalk& walk) {
            if (options.topdown) random.edit(walk.dirnames());
        };
        reused += expect_as_serial(fs, source, "/t", options, edit).reused;
        if (::testing::Test::HasFailure()) break;
    }
    EXPECT_GT(reused, 0U);
}

}  // namespace
}  // namespace filetree
