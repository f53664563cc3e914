#pragma once

// The directories that are left of a walk, as bytes, so that another can go on with them.
//
//     frontier  magic u32 "FTFR", version u32 = 1, inode u64 of the top, then groups to the end
//     group     path (of the directory the group is in, below the top, without a leading "/"; empty
//               for the top itself), inode u64 of that directory, count u32, then the directories
//     directory name, inode, device, size, blocks, links u64; atime, mtime, ctime, each seconds i64
//               and nanoseconds u32; mode, uid, gid u32; automount point u8
//
// Strings are a u32 length, and bytes. Numbers are in the machine's byte order.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "node.hpp"

namespace filetree::walk {

// `directories` have a parent; neighbours that have the same one share its path. `top` is the path
// of the top as given.
[[nodiscard]] std::string encode_frontier(std::string_view top, std::uint64_t top_inode,
                                          const std::vector<NodePtr>& directories);

// The directories of a frontier, with the ancestors between them and `top`, which is open already.
// Throws std::invalid_argument when it is no frontier, or that of another directory than `top`.
[[nodiscard]] std::vector<NodePtr> decode_frontier(std::string_view bytes, const NodePtr& top);

}  // namespace filetree::walk
