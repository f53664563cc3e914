#pragma once

#include <zlib.h>
#include <zstd.h>

#include <optional>
#include <string>
#include <string_view>

namespace filetree::testing {

// What one whole gzip member holds; nothing when it is damaged, cut short, or not alone.
inline std::optional<std::string> from_gzip(std::string_view bytes) {
    z_stream stream{};
    if (::inflateInit2(&stream, 15 + 16) != Z_OK) return std::nullopt;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    std::string out;
    char room[65536];
    int state = Z_OK;
    while (state == Z_OK) {
        stream.next_out = reinterpret_cast<Bytef*>(room);
        stream.avail_out = sizeof room;
        state = ::inflate(&stream, Z_NO_FLUSH);
        out.append(room, sizeof room - stream.avail_out);
    }
    const bool whole = state == Z_STREAM_END && stream.avail_in == 0;
    ::inflateEnd(&stream);
    return whole ? std::optional(out) : std::nullopt;
}

// What one whole zstd frame holds; nothing when it is damaged, cut short, or not alone.
inline std::optional<std::string> from_zstd(std::string_view bytes) {
    ZSTD_DCtx* const stream = ZSTD_createDCtx();
    ZSTD_inBuffer in{bytes.data(), bytes.size(), 0};
    std::string out;
    char room[65536];
    std::size_t remaining = 1;
    while (remaining != 0) {
        ZSTD_outBuffer piece{room, sizeof room, 0};
        remaining = ZSTD_decompressStream(stream, &piece, &in);
        if (ZSTD_isError(remaining) != 0) break;
        out.append(room, piece.pos);
        if (remaining != 0 && in.pos == in.size && piece.pos == 0) break;
    }
    ZSTD_freeDCtx(stream);
    return remaining == 0 && in.pos == in.size ? std::optional(out) : std::nullopt;
}

}  // namespace filetree::testing
