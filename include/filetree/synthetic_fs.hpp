#pragma once

// A balanced tree that is computed, never stored: a tree of 10^9 files costs no memory.
//
// Every directory at a level above `depth` has `directories` subdirectories "d0", "d1", ...; every
// directory has `files` files "f0.dat", "f1.dat", ..., and the first `surplus` directories, counted
// level by level, have one more. All attributes are functions of the entry's path, so a test can
// compute what it must find.

#include <cstdint>
#include <memory>
#include <string>

#include "filetree/fs.hpp"

namespace filetree {

struct SyntheticTree {
    std::uint32_t directories = 10;  // subdirectories of every directory above the last level
    std::uint32_t files = 100;       // files in every directory
    std::uint32_t depth = 3;         // levels of directories below the top
    std::uint64_t surplus = 0;       // directories with one file more; no more than there are

    [[nodiscard]] std::uint64_t total_directories() const noexcept;  // below the top
    [[nodiscard]] std::uint64_t total_files() const noexcept;
    // The sum of st_size of all files; a directory's st_size is `directory_size`.
    [[nodiscard]] std::uint64_t total_file_bytes() const noexcept;

    static constexpr std::uint64_t directory_size = 4096;
    // The size of the file with the given index in its directory.
    [[nodiscard]] static std::uint64_t file_size(std::uint32_t index) noexcept {
        return std::uint64_t{index} * 7 % 1000;
    }
};

// A tree of exactly `files` files: at most 100 in a directory, with up to 10 subdirectories.
[[nodiscard]] SyntheticTree synthetic_tree_of(std::uint64_t files) noexcept;

// The tree's top is at the path `root`; with an empty `root`, every path is the top.
[[nodiscard]] std::shared_ptr<FileSystem> make_synthetic_file_system(const SyntheticTree& tree,
                                                                     std::string root = {});

}  // namespace filetree
