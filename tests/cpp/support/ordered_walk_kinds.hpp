#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "filetree/faulty_fs.hpp"
#include "filetree/ordered_walk.hpp"
#include "filetree/synthetic_fs.hpp"

namespace filetree::testing {

// A computed tree with its top at "/t".
inline std::shared_ptr<FaultyFileSystem> faulty_at_t(const SyntheticTree& tree,
                                                     FaultPolicy policy) {
    return std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree, "/t"),
                                              std::move(policy));
}

constexpr SyntheticTree tree_of_40{3, 2, 3};  // directories

// Top-down, bottom-up, and top-down with early link checks.
inline std::vector<OrderedWalkOptions> both_orders(unsigned max_threads) {
    OrderedWalkOptions topdown;
    topdown.max_threads = max_threads;
    OrderedWalkOptions bottom_up = topdown;
    bottom_up.topdown = false;
    OrderedWalkOptions early = topdown;
    early.early_link_checks = true;
    return {topdown, bottom_up, early};
}

// Serial and not, in both orders, with early and late link checks.
inline std::vector<OrderedWalkOptions> kinds() {
    std::vector<OrderedWalkOptions> out;
    for (const unsigned threads : {1U, 3U}) {
        for (const bool topdown : {true, false}) {
            for (const bool early : {true, false}) {
                OrderedWalkOptions options;
                options.max_threads = threads;
                options.topdown = topdown;
                options.early_link_checks = early;
                out.push_back(options);
            }
        }
    }
    return out;
}

}  // namespace filetree::testing
