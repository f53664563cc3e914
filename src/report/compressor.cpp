#include "compressor.hpp"

#include <zlib.h>
#include <zstd.h>

#include <new>
#include <stdexcept>
#include <string>

namespace filetree::report {
namespace {

class ZstdCompressor final : public Compressor {
   public:
    ZstdCompressor() : stream_(ZSTD_createCCtx()) {
        if (!stream_) throw std::bad_alloc();
        check(ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_compressionLevel, level));
        check(ZSTD_CCtx_setParameter(stream_.get(), ZSTD_c_checksumFlag, 1));
    }

    void compress(std::string_view in, ByteBuffer& out) override { run(in, out, ZSTD_e_continue); }
    void finish(ByteBuffer& out) override { run({}, out, ZSTD_e_end); }

   private:
    static constexpr int level = 3;  // zstd's own default

    struct Free {
        void operator()(ZSTD_CCtx* stream) const noexcept { ZSTD_freeCCtx(stream); }
    };

    static std::size_t check(std::size_t result) {
        if (ZSTD_isError(result) != 0) {
            throw std::runtime_error(std::string("zstd: ") + ZSTD_getErrorName(result));
        }
        return result;
    }

    void run(std::string_view in, ByteBuffer& out, ZSTD_EndDirective directive) {
        ZSTD_inBuffer input{in.data(), in.size(), 0};
        for (;;) {
            const std::size_t room = ZSTD_CStreamOutSize();
            out.ensure(room);
            ZSTD_outBuffer output{out.end(), room, 0};
            const std::size_t remaining =
                check(ZSTD_compressStream2(stream_.get(), &output, &input, directive));
            out.set_end(out.end() + output.pos);
            const bool done = directive == ZSTD_e_end ? remaining == 0 : input.pos == input.size;
            if (done) return;
        }
    }

    std::unique_ptr<ZSTD_CCtx, Free> stream_;
};

class GzipCompressor final : public Compressor {
   public:
    GzipCompressor() {
        if (::deflateInit2(&stream_, Z_DEFAULT_COMPRESSION, Z_DEFLATED, gzip_window_bits,
                           memory_level, Z_DEFAULT_STRATEGY) != Z_OK) {
            throw std::runtime_error("zlib: cannot begin a gzip stream");
        }
    }
    ~GzipCompressor() override { ::deflateEnd(&stream_); }

    void compress(std::string_view in, ByteBuffer& out) override { run(in, out, Z_NO_FLUSH); }
    void finish(ByteBuffer& out) override { run({}, out, Z_FINISH); }

   private:
    static constexpr int gzip_window_bits = 15 + 16;  // zlib.h: "add 16 to write a gzip header"
    static constexpr int memory_level = 8;            // zlib's own default
    static constexpr std::size_t room = std::size_t{64} << 10U;

    void run(std::string_view in, ByteBuffer& out, int flush) {
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(in.data()));
        stream_.avail_in = static_cast<uInt>(in.size());
        do {
            out.ensure(room);
            stream_.next_out = reinterpret_cast<Bytef*>(out.end());
            stream_.avail_out = room;
            if (::deflate(&stream_, flush) == Z_STREAM_ERROR) {
                throw std::runtime_error("zlib: the gzip stream is inconsistent");
            }
            out.set_end(out.end() + (room - stream_.avail_out));
        } while (stream_.avail_out == 0);
    }

    z_stream stream_{};
};

}  // namespace

std::unique_ptr<Compressor> make_compressor(Compression compression) {
    switch (compression) {
        case Compression::zstd:
            return std::make_unique<ZstdCompressor>();
        case Compression::gzip:
            return std::make_unique<GzipCompressor>();
        case Compression::none:
            break;
    }
    return nullptr;
}

}  // namespace filetree::report
