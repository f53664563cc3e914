#pragma once

#include <cstdint>
#include <optional>

#include "filetree/compare.hpp"

namespace filetree::compare {

// What is found of two contents.
enum class Difference : std::uint8_t { none, size, content };

[[nodiscard]] constexpr std::optional<DiffReason> reason_of(Difference difference) noexcept {
    switch (difference) {
        case Difference::none:
            break;
        case Difference::size:
            return DiffReason::size_mismatch;
        case Difference::content:
            return DiffReason::content_mismatch;
    }
    return std::nullopt;
}

}  // namespace filetree::compare
