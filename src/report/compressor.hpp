#pragma once

#include <memory>
#include <string_view>

#include "byte_buffer.hpp"
#include "filetree/report.hpp"

namespace filetree::report {

// Compresses a stream of bytes into one zstd frame or one gzip member. One thread at a time.
class Compressor {
   public:
    Compressor() = default;
    Compressor(const Compressor&) = delete;
    Compressor& operator=(const Compressor&) = delete;
    virtual ~Compressor() = default;

    // Appends to `out` what compressing `in` yields so far. Throws std::runtime_error.
    virtual void compress(std::string_view in, ByteBuffer& out) = 0;
    // Appends the rest. The last call.
    virtual void finish(ByteBuffer& out) = 0;
};

// Null for Compression::none.
[[nodiscard]] std::unique_ptr<Compressor> make_compressor(Compression compression);

}  // namespace filetree::report
