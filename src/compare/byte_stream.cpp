#include "byte_stream.hpp"

#include <zlib.h>

#include <algorithm>
#include <cstdio>
#include <new>
#include <string>
#include <utility>

#include "filetree/compare.hpp"
#include "libarchive.hpp"

namespace filetree::compare {
namespace {

constexpr std::size_t output_size = std::size_t{256} << 10U;

bool all_zero(std::span<const char> bytes) {
    return std::all_of(bytes.begin(), bytes.end(), [](char byte) { return byte == 0; });
}

class GzipStream final : public ByteStream {
   public:
    GzipStream(Source& source, std::size_t chunk, std::function<bool()> stopping)
        : source_(source),
          input_(source, chunk, std::move(stopping)),
          output_(new char[output_size]) {
        constexpr int gzip_only = 15 + 16;  // the largest window, with gzip's header and trailer
        if (::inflateInit2(&state_, gzip_only) != Z_OK) throw std::bad_alloc();
    }
    ~GzipStream() override { ::inflateEnd(&state_); }

    [[nodiscard]] std::span<const char> next() override {
        state_.next_out = reinterpret_cast<Bytef*>(output_.get());
        state_.avail_out = output_size;
        while (state_.avail_out > 0 && !ended_) {
            if (state_.avail_in == 0 && !refill()) fail_archive(source_, "truncated gzip data");
            const int status = ::inflate(&state_, Z_NO_FLUSH);
            if (status == Z_STREAM_END) {
                begin_next_member();
            } else if (status != Z_OK) {
                fail_archive(source_, std::string("corrupt gzip data: ") +
                                          (state_.msg != nullptr ? state_.msg : "no progress"));
            }
        }
        return {output_.get(), output_size - state_.avail_out};
    }

   private:
    // False at the end of the source.
    [[nodiscard]] bool refill() {
        const std::span<const char> bytes = input_.next();
        state_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
        state_.avail_in = static_cast<uInt>(bytes.size());
        return !bytes.empty();
    }

    void begin_next_member() {
        ended_ = state_.avail_in == 0 && !refill();
        if (ended_) return;
        if (*state_.next_in != 0) {
            ::inflateReset(&state_);
            return;
        }
        do {
            if (!all_zero({reinterpret_cast<const char*>(state_.next_in), state_.avail_in})) {
                fail_archive(source_, "data after the end of gzip data");
            }
        } while (refill());
        ended_ = true;
    }

    Source& source_;
    SourceStream input_;
    const std::unique_ptr<char[]> output_;
    z_stream state_{};
    bool ended_ = false;
};

// libarchive's filters in front of its `raw` format, which is any bytes.
class FilterStream final : public ByteStream {
   public:
    FilterStream(Source& source, std::size_t chunk, std::function<bool()> stopping)
        : source_(source),
          input_(source, chunk, std::move(stopping)),
          feed_(input_, nullptr),
          handle_(new_archive()) {
        // A filter that would be an external program is a warning, and is not used.
        for (const auto support :
             {archive_read_support_filter_bzip2, archive_read_support_filter_xz,
              archive_read_support_filter_lzma, archive_read_support_filter_zstd,
              archive_read_support_filter_lz4, archive_read_support_format_raw}) {
            if (support(handle_.get()) != ARCHIVE_OK) {
                fail_archive(source_, "libarchive lacks a decompressor");
            }
        }
        archive_entry* entry = nullptr;
        check(feed_.open(handle_.get()));
        check(archive_read_next_header(handle_.get(), &entry));
    }

    // libarchive's own count has the source itself as the last.
    [[nodiscard]] int layers() const { return archive_filter_count(handle_.get()) - 1; }

    [[nodiscard]] std::span<const char> next() override {
        const void* bytes = nullptr;
        std::size_t size = 0;
        la_int64_t offset = 0;
        const int status = archive_read_data_block(handle_.get(), &bytes, &size, &offset);
        if (status == ARCHIVE_EOF) {
            feed_.rethrow();
            check_all_is_used();
            return {};
        }
        check(status);
        return {static_cast<const char*>(bytes), size};
    }

   private:
    void check(int status) {
        feed_.rethrow();
        if (status == ARCHIVE_OK) return;
        const char* const reason = archive_error_string(handle_.get());
        fail_archive(source_, std::string("corrupt or truncated: ") +
                                  (reason != nullptr ? reason : "decompression failed"));
    }

    // What libarchive takes for the end is also what is not the beginning of more.
    void check_all_is_used() {
        const auto used = static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), -1));
        if (used != feed_.delivered() || !input_.next().empty()) {
            fail_archive(source_, "data after the end of compressed data");
        }
    }

    Source& source_;
    SourceStream input_;
    ArchiveFeed feed_;
    ArchiveHandle handle_;  // uses the feed until it is gone
};

}  // namespace

SourceStream::SourceStream(Source& source, std::size_t chunk, std::function<bool()> stopping)
    : source_(source), chunk_(chunk), stopping_(std::move(stopping)) {}

std::span<const char> SourceStream::next() {
    if (stopping_()) throw CompareError::cancelled();
    if (!last_.holds(position_)) {
        if (keeps_before_) std::swap(last_, before_);
        if (!last_.bytes) last_.bytes.reset(new char[chunk_]);
        last_.length = 0;
        last_.length = source_.read_at(position_, {last_.bytes.get(), chunk_});
        last_.first = position_;
    }
    const std::span<const char> bytes = last_.from(position_);
    position_ += bytes.size();
    return bytes;
}

std::int64_t SourceStream::seek(std::int64_t offset, int whence) {
    std::uint64_t base = 0;
    if (whence == SEEK_CUR) base = position_;
    if (whence == SEEK_END) {
        if (!source_.size()) return -1;
        base = *source_.size();
    }
    std::int64_t place = 0;
    if (__builtin_add_overflow(base, offset, &place) || place < 0) return -1;
    position_ = static_cast<std::uint64_t>(place);
    return place;
}

std::size_t SourceStream::read_at(std::uint64_t offset, std::span<char> out) {
    keeps_before_ = true;
    std::size_t done = 0;
    while (done < out.size()) {
        const std::uint64_t place = offset + done;
        if (!last_.holds(place) && !before_.holds(place)) {
            return done + source_.read_at(place, out.subspan(done));
        }
        const std::span<const char> held = (last_.holds(place) ? last_ : before_).from(place);
        const std::size_t part = std::min(held.size(), out.size() - done);
        std::copy_n(held.begin(), part, out.begin() + static_cast<std::ptrdiff_t>(done));
        done += part;
    }
    return done;
}

std::unique_ptr<ByteStream> decompressed(Source& source, std::size_t chunk,
                                         const std::function<bool()>& stopping) {
    unsigned char magic[2] = {};
    if (source.read_at(0, {reinterpret_cast<char*>(magic), sizeof magic}) == 0) return {};
    if (magic[0] == 0x1f && magic[1] == 0x8b) {
        return std::make_unique<GzipStream>(source, chunk, stopping);
    }
    auto stream = std::make_unique<FilterStream>(source, chunk, stopping);
    if (stream->layers() > 1) fail_archive(source, "compressed more than once");
    if (stream->layers() == 0) return {};
    return stream;
}

}  // namespace filetree::compare
