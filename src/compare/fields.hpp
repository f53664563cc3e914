#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace filetree::compare {

// Takes the numbers of an archive's header off its front; they are 0 behind its end.
class Fields {
   public:
    explicit Fields(std::span<const char> bytes) : bytes_(bytes) {}

    void skip(std::size_t size) { place_ += size; }
    // Of 8 bytes at most, the least one first.
    std::uint64_t fixed(std::size_t size) {
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < size; ++i) value |= std::uint64_t{byte()} << 8 * i;
        return value;
    }
    // 7 bits a byte, the least ones first.
    std::uint64_t variable() {
        std::uint64_t value = 0;
        for (unsigned shift = 0; shift < 63; shift += 7) {
            const std::uint8_t bits = byte();
            value |= std::uint64_t{bits & 0x7fU} << shift;
            if ((bits & 0x80U) == 0) break;
        }
        return value;
    }
    [[nodiscard]] std::size_t used() const noexcept { return place_; }

   private:
    std::uint8_t byte() {
        const std::size_t place = place_++;
        return place < bytes_.size() ? static_cast<std::uint8_t>(bytes_[place]) : std::uint8_t{0};
    }

    std::span<const char> bytes_;
    std::size_t place_ = 0;
};

}  // namespace filetree::compare
