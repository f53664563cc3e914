#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "source.hpp"

namespace filetree::compare {

// Bytes in their order. Calls throw CompareError.
//
// Threads: one at a time.
class ByteStream {
   public:
    ByteStream() = default;
    ByteStream(const ByteStream&) = delete;
    ByteStream& operator=(const ByteStream&) = delete;
    virtual ~ByteStream() = default;

    // The next ones, valid until the next call; none at the end.
    [[nodiscard]] virtual std::span<const char> next() = 0;
};

// Those of a source, which may be gone through in any order. Before each read it looks whether it
// is still wanted, and else throws CompareFailure::cancelled.
class SourceStream final : public ByteStream {
   public:
    SourceStream(Source& source, std::size_t chunk, std::function<bool()> stopping);

    [[nodiscard]] std::span<const char> next() override;
    // Where next() goes on; as lseek. What the last chunk holds is not read again. -1 where the
    // source has no such place.
    [[nodiscard]] std::int64_t seek(std::int64_t offset, int whence);
    // As the source's; next() goes on where it was. What the last chunk holds is not read again,
    // and, from the first call on, what the one before it holds.
    [[nodiscard]] std::size_t read_at(std::uint64_t offset, std::span<char> out);

   private:
    struct Chunk {
        [[nodiscard]] bool holds(std::uint64_t place) const noexcept {
            return place >= first && place - first < length;
        }
        // From a place that it holds.
        [[nodiscard]] std::span<const char> from(std::uint64_t place) const noexcept {
            return std::span(bytes.get(), length).subspan(static_cast<std::size_t>(place - first));
        }

        std::unique_ptr<char[]> bytes;
        std::uint64_t first = 0;  // where it is in the source
        std::size_t length = 0;
    };

    Source& source_;
    const std::size_t chunk_;
    const std::function<bool()> stopping_;
    Chunk last_;
    Chunk before_;
    bool keeps_before_ = false;
    std::uint64_t position_ = 0;  // of what comes next
};

// What a compressed source holds: gzip, bzip2, xz, lzma, zstd or lz4, one layer of it. Null when it
// is none of these; then the source has been read at its beginning only.
//
// It ends only where the compressed data do, whose checksums are right; anything behind them is
// CompareFailure::archive (but zeros after gzip, which are padding by its tradition). gzip is
// zlib's, as libarchive does not look at its checksum; the others are libarchive's.
[[nodiscard]] std::unique_ptr<ByteStream> decompressed(Source& source, std::size_t chunk,
                                                       const std::function<bool()>& stopping);

}  // namespace filetree::compare
