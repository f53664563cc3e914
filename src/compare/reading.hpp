#pragma once

#include <cstddef>
#include <cstdint>

namespace filetree::compare {

// How much is read at a time.

// Bytes of one call, from each source.
// Two chunks fit into a core's second-level cache, and a call costs little beside one.
constexpr std::size_t usual_chunk = std::size_t{256} << 10U;
// Larger ones gain nothing, and would stay with the threads.
constexpr std::size_t most_chunk = std::size_t{2} << 20U;
// What one thread reads of a file before it looks what else there is to do.
constexpr std::uint64_t range_size = std::uint64_t{4} << 20U;
// From this size on, a look at some places of a file first is cheap beside reading it all.
constexpr std::uint64_t sampled_size = std::uint64_t{4} << 20U;
constexpr std::size_t sample_size = std::size_t{64} << 10U;
// How many URLs are asked for at once: what a server, and the descriptors, can bear.
constexpr std::size_t most_fetched_at_once = 64;

}  // namespace filetree::compare
