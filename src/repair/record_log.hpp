#pragma once

#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "../fs/unique_fd.hpp"
#include "filetree/repair.hpp"

namespace filetree::repair {

// ChangeRecords by the million, packed: a header and the path, one after the other in blocks of a
// mebibyte. What exceeds `memory` bytes goes to a file without a name; if that cannot be written,
// it stays in memory.
//
// Threads: any.
class RecordLog {
   public:
    explicit RecordLog(std::size_t memory = std::size_t{64} << 20U) : memory_(memory) {}

    void add(const ChangeRecord& record);
    [[nodiscard]] std::size_t size() const;
    // Records [first, first + count), as far as there are any. Throws SystemError when the file
    // cannot be read.
    [[nodiscard]] std::vector<ChangeRecord> read(std::size_t first, std::size_t count) const;

   private:
    struct Block {
        std::string bytes;      // "" when it is in the file
        std::size_t first = 0;  // the number of its first record
        std::size_t length = 0;
        std::optional<std::uint64_t> place;  // where it is in the file
    };

    void put_aside(Block& block);
    [[nodiscard]] std::string content(const Block& block) const;

    const std::size_t memory_;
    mutable std::mutex mutex_;
    std::vector<Block> blocks_;
    std::size_t size_ = 0;
    std::size_t kept_ = 0;  // bytes of full blocks in memory
    UniqueFd file_;
    std::uint64_t file_size_ = 0;
    bool file_works_ = true;
};

}  // namespace filetree::repair
