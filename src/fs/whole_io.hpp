#pragma once

// Reads and writes that go on until all is done, however often the kernel stops half-way, and what
// else every writer of files needs. Those that return int return an errno.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "filetree/error.hpp"
#include "unique_fd.hpp"

namespace filetree {

[[nodiscard]] int write_all(int fd, std::string_view bytes) noexcept;
[[nodiscard]] int write_all_at(int fd, std::uint64_t offset, std::string_view bytes) noexcept;
// EIO where the file ends before.
[[nodiscard]] int read_all_at(int fd, std::uint64_t offset, char* out, std::size_t length) noexcept;

// Until what was created, renamed and removed in a directory survives a power cut. Some file
// systems refuse that; what is in it stands all the same, and it is no error.
[[nodiscard]] int sync_directory(int directory) noexcept;
// The directory that a path is in.
[[nodiscard]] std::string directory_of(const std::string& path);

// A file of which nothing is left once it is closed, for this user alone.
[[nodiscard]] Result<UniqueFd> open_temporary(const std::string& directory);

}  // namespace filetree
