#pragma once

#include <cstdint>

#include "job.hpp"

namespace filetree::compare {

// Two sources, by whatever means.
class PairJob : public Job {
   public:
    // Once it has ended without a failure.
    [[nodiscard]] virtual bool equal() const noexcept = 0;
    // So far, of both sides.
    [[nodiscard]] virtual std::uint64_t bytes_read() const = 0;
};

}  // namespace filetree::compare
