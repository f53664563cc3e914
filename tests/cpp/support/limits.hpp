#pragma once

#include <chrono>
#include <cstddef>

namespace filetree::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool under_sanitizer = true;
#else
constexpr bool under_sanitizer = false;
#endif

// How long something may take before a test calls it hung; never how long it should take.
constexpr std::chrono::seconds patience{60};

constexpr std::size_t mebi = std::size_t{1} << 20U;

// A size for normal builds, cut by a factor where a sanitizer makes everything slower.
constexpr std::size_t scaled(std::size_t size, std::size_t factor = 10) {
    return under_sanitizer ? size / factor : size;
}

}  // namespace filetree::testing
