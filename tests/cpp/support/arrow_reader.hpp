#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>

#include "filetree/arrow_abi.hpp"

namespace filetree::testing {

// Reads columns as the specification of the Arrow C data interface says, and in no other way.
class ArrowColumn {
   public:
    explicit ArrowColumn(const ArrowArray& array) : array_(array) {}

    [[nodiscard]] bool is_null(std::int64_t row) const {
        const auto* bits = static_cast<const unsigned char*>(array_.buffers[0]);
        return bits != nullptr && !bit(bits, row);
    }
    template <class T>
    [[nodiscard]] T value(std::int64_t row) const {
        T out;
        std::memcpy(&out, static_cast<const char*>(array_.buffers[1]) + index(row) * sizeof out,
                    sizeof out);
        return out;
    }
    [[nodiscard]] bool boolean(std::int64_t row) const {
        return bit(static_cast<const unsigned char*>(array_.buffers[1]), row);
    }
    // Nothing for null.
    [[nodiscard]] std::optional<std::string> string(std::int64_t row) const {
        if (is_null(row)) return std::nullopt;
        const auto begin = value<std::int32_t>(row);
        const auto end = value<std::int32_t>(row + 1);
        if (begin == end) return std::string();
        return std::string(static_cast<const char*>(array_.buffers[2]) + begin,
                           static_cast<std::size_t>(end - begin));
    }

   private:
    [[nodiscard]] std::size_t index(std::int64_t row) const {
        return static_cast<std::size_t>(array_.offset + row);
    }
    [[nodiscard]] bool bit(const unsigned char* bits, std::int64_t row) const {
        return (bits[index(row) / 8] >> (index(row) % 8) & 1U) != 0;
    }

    const ArrowArray& array_;
};

}  // namespace filetree::testing
