#include "archive_reader.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <string_view>

#include "archive_budget.hpp"
#include "archive_name.hpp"
#include "archive_volumes.hpp"
#include "byte_stream.hpp"
#include "libarchive.hpp"
#include "rar_block.hpp"
#include "reading.hpp"
#include "zip_directory.hpp"

namespace filetree::compare {
namespace {

using Kind = ArchiveEntry::Kind;
using namespace std::string_view_literals;

// Of a chunk_size that is asked for, so much is used.
constexpr std::size_t least_asked = std::size_t{4} << 10U;
constexpr std::size_t most_asked = std::size_t{16} << 20U;

// What libarchive may read for one header. It keeps much of that in memory, many times over (maps
// of sparse files, central directories), before it says anything about an entry.
constexpr std::uint64_t header_size = std::uint64_t{16} << 20U;
constexpr std::uint64_t header_size_of_entry = std::uint64_t{1} << 10U;

constexpr std::uint64_t no_limit = std::numeric_limits<std::uint64_t>::max();

constexpr std::uint64_t tar_block = 512;

std::size_t chunk_of(const ArchiveOptions& limits) {
    if (limits.chunk_size == 0) return usual_chunk;
    return std::clamp(limits.chunk_size, least_asked, most_asked);
}

// Watches what libarchive takes, for what it does not tell.
class WatchedFeed final : public ArchiveFeed {
   public:
    WatchedFeed(const Source& source, ByteStream& stream, SourceStream* seekable)
        : ArchiveFeed(stream, seekable), source_(source) {}

    // Until the next call libarchive may take so much.
    void allow(std::uint64_t bytes) { allowed_ = bytes; }
    // Where the last byte that is not zero ends.
    [[nodiscard]] std::uint64_t data_end() const noexcept { return data_end_; }

   private:
    void see(std::span<const char> bytes) override {
        const auto last = std::find_if(bytes.rbegin(), bytes.rend(), [](char c) { return c != 0; });
        if (last != bytes.rend()) {
            data_end_ = delivered() - static_cast<std::uint64_t>(last - bytes.rbegin());
        }
        if (bytes.size() > allowed_) fail_archive(source_, "the headers of an entry are too large");
        allowed_ -= bytes.size();
    }

    const Source& source_;
    std::uint64_t allowed_ = no_limit;
    std::uint64_t data_end_ = 0;
};

// A name that is not ASCII in a pax header, which libarchive cannot convert to the charset `bytes`;
// it keeps the original then.
bool is_about_charset(const char* warning) {
    return warning != nullptr && std::strstr(warning, "can't be converted from") != nullptr;
}

}  // namespace

class ArchiveReader::State {
   public:
    State(Source& source, const ArchiveOptions& limits, std::function<bool()> stopping);

    [[nodiscard]] bool next(ArchiveEntry& entry);
    [[nodiscard]] bool read(ContentBlock& block);
    [[nodiscard]] bool has_signature() const noexcept { return !streamed_; }

   private:
    using Support = int (*)(archive*);

    // False when it is of none of these formats.
    [[nodiscard]] bool open(std::unique_ptr<ByteStream> stream, SourceStream* seekable,
                            std::initializer_list<Support> formats);
    [[nodiscard]] ScopedLocale::Charset charset() const {
        return streamed_ ? ScopedLocale::Charset::bytes : ScopedLocale::Charset::utf8;
    }
    // A format without a stream has a directory of all entries, which is read at the first.
    [[nodiscard]] std::uint64_t header_allowance() const;
    void describe(archive_entry* header, ArchiveEntry& entry);
    [[nodiscard]] bool is_tar() const {
        return (archive_format(handle_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_TAR;
    }
    [[nodiscard]] bool is_rar5() const {
        return archive_format(handle_.get()) == ARCHIVE_FORMAT_RAR_V5;
    }
    [[nodiscard]] bool is_rar() const {
        return is_rar5() || archive_format(handle_.get()) == ARCHIVE_FORMAT_RAR;
    }
    [[nodiscard]] bool is_zip() const {
        return (archive_format(handle_.get()) & ARCHIVE_FORMAT_BASE_MASK) == ARCHIVE_FORMAT_ZIP;
    }
    [[nodiscard]] bool is_newc() const {
        const int format = archive_format(handle_.get());
        return format == ARCHIVE_FORMAT_CPIO_SVR4_NOCRC || format == ARCHIVE_FORMAT_CPIO_SVR4_CRC;
    }
    // Bytes of the stream that libarchive has used.
    [[nodiscard]] std::uint64_t position() const {
        return static_cast<std::uint64_t>(archive_filter_bytes(handle_.get(), 0));
    }
    // Read when libarchive has read it.
    [[nodiscard]] ZipDirectory& zip_directory() {
        if (!zip_directory_) {
            zip_directory_.emplace(source_, *seekable_, header_allowance(), stopping_);
        }
        return *zip_directory_;
    }
    void charge_overhead(std::uint64_t position);
    void end_content(ContentBlock& block);
    // The next block of a rar that ends its header at `end`, or else the archive.
    [[nodiscard]] std::optional<RarBlock> find_rar_block(std::uint64_t end);
    [[nodiscard]] bool read_rest(ContentBlock& block);
    [[noreturn]] void fail();
    [[noreturn]] void fail(const std::string& what);

    Source& source_;
    const ArchiveOptions limits_;
    const std::function<bool()> stopping_;
    ArchiveBudget budget_;
    std::unique_ptr<ByteStream> stream_;
    SourceStream* seekable_ = nullptr;  // the same, of a format that has a directory
    std::unique_ptr<WatchedFeed> feed_;
    ArchiveHandle handle_;  // uses the two above until it is gone
    bool streamed_ = true;  // the format's end is where its stream's is
    std::optional<ZipDirectory> zip_directory_;

    enum class Phase : std::uint8_t { header, content, rest, ended };
    Phase phase_ = Phase::header;
    std::optional<std::uint64_t> size_;        // of the entry, as its header says
    std::uint64_t offset_ = 0;                 // in its content
    std::optional<std::uint32_t> stored_crc_;  // of its content, in rar
    uLong crc_ = 0;                            // of that so far
    std::uint64_t stored_ = 0;                 // bytes of all content so far, without holes
};

ArchiveReader::State::State(Source& source, const ArchiveOptions& limits,
                            std::function<bool()> stopping)
    : source_(source), limits_(limits), stopping_(std::move(stopping)), budget_(limits, source) {
    const std::size_t chunk = chunk_of(limits);
    std::unique_ptr<ByteStream> stream = decompressed(source, chunk, stopping_);
    const bool compressed = stream != nullptr;
    if (!compressed) stream = std::make_unique<SourceStream>(source, chunk, stopping_);
    if (open(std::move(stream), nullptr,
             {archive_read_support_format_tar, archive_read_support_format_cpio})) {
        return;
    }
    streamed_ = false;
    if (!compressed && source.is_seekable()) {
        if (is_volume(source)) fail("part of a multi-volume archive, which cannot be read");
        auto seekable = std::make_unique<SourceStream>(source, chunk, stopping_);
        SourceStream* const place = seekable.get();
        // Of the two readers of zip the one that begins with the central directory: the other one
        // does not notice what is cut off.
        if (open(std::move(seekable), place,
                 {archive_read_support_format_zip_seekable, archive_read_support_format_7zip,
                  archive_read_support_format_rar, archive_read_support_format_rar5})) {
            return;
        }
    }
    if (!compressed && is_empty_zip(source)) {  // which libarchive takes for none
        phase_ = Phase::ended;
        return;
    }
    std::array<char, 4> head{};
    const std::size_t length = source.read_at(0, head);
    fail(std::string_view(head.data(), length) == "PK\x03\x04"sv
             ? "truncated: a zip without its central directory"
             : "not an archive of a known format");
}

bool ArchiveReader::State::open(std::unique_ptr<ByteStream> stream, SourceStream* seekable,
                                std::initializer_list<Support> formats) {
    handle_ = new_archive();
    for (const Support support : formats) {
        if (support(handle_.get()) != ARCHIVE_OK) fail("libarchive lacks a format");
    }
    // Else libarchive leaves out files of __MACOSX on macOS.
    if (seekable != nullptr &&
        archive_read_set_format_option(handle_.get(), "zip", "mac-ext", nullptr) != ARCHIVE_OK)
        fail();
    feed_ = std::make_unique<WatchedFeed>(source_, *stream, seekable);
    seekable_ = seekable;
    stream_ = std::move(stream);
    const ScopedLocale locale(charset());
    const int status = feed_->open(handle_.get());
    feed_->rethrow();
    return status == ARCHIVE_OK;
}

bool ArchiveReader::State::next(ArchiveEntry& entry) {
    if (phase_ == Phase::ended) return false;
    entry = {};
    archive_entry* header = nullptr;
    feed_->allow(header_allowance());
    const ScopedLocale locale(charset());
    const int status = archive_read_next_header(handle_.get(), &header);
    feed_->rethrow();
    feed_->allow(no_limit);
    if (status == ARCHIVE_EOF) {
        if (is_rar() && !find_rar_block(no_limit)) {
            fail("truncated: there is no end-of-archive block");
        }
        if (is_zip()) zip_directory().check_end();
        phase_ = streamed_ ? Phase::rest : Phase::ended;
        return streamed_;
    }
    const bool harmless = status == ARCHIVE_WARN && streamed_ &&
                          is_about_charset(archive_error_string(handle_.get()));
    if (status != ARCHIVE_OK && !harmless) fail();
    budget_.take_entry();
    describe(header, entry);
    if (is_rar() && entry.kind == Kind::file) {
        const std::optional<RarBlock> block = find_rar_block(position());
        if (!block || block->kind != RarBlock::Kind::file) fail("a file without a header");
        stored_crc_ = block->crc;
    }
    // A directory of rar5 cannot be asked for its content.
    const bool readable = !is_rar5() || archive_entry_filetype(header) != AE_IFDIR;
    phase_ = readable ? Phase::content : Phase::header;
    charge_overhead(position());
    return true;
}

std::uint64_t ArchiveReader::State::header_allowance() const {
    if (streamed_) return header_size;
    std::uint64_t directory = 0;
    if (limits_.max_entries == 0 ||
        __builtin_mul_overflow(limits_.max_entries, header_size_of_entry, &directory)) {
        return no_limit;
    }
    return header_size + directory;
}

void ArchiveReader::State::describe(archive_entry* header, ArchiveEntry& entry) {
    if (archive_entry_is_encrypted(header) != 0) fail("encrypted, which cannot be read");
    const char* const stored = archive_entry_pathname(header);
    if (stored == nullptr) fail("an entry without a name that can be told");
    budget_.take_name(std::strlen(stored));
    offset_ = 0;
    size_.reset();
    stored_crc_.reset();
    crc_ = 0;
    if (archive_entry_size_is_set(header) != 0) {
        size_ = static_cast<std::uint64_t>(archive_entry_size(header));
        budget_.look_ahead(*size_);
    }
    const auto type = archive_entry_filetype(header);
    // A symlink's text is read with the header.
    if (is_zip()) {
        zip_directory().check_next(type == AE_IFDIR,
                                   type == AE_IFLNK ? std::nullopt : std::optional(position()));
    }
    const char* const link = archive_entry_hardlink(header);
    if (type != AE_IFREG) size_.reset();  // of a symlink's text, in cpio
    if (type == 0 && link == nullptr && is_tar()) {
        fail("a file that began in another volume: part of a multi-volume archive");
    }
    std::optional<std::string> name = normalized_name(stored);
    entry.name = name.value_or(stored);
    if (type == AE_IFDIR) {
        entry.kind = Kind::other;
    } else if (!name || (type != AE_IFREG && link == nullptr)) {
        entry.kind = Kind::skipped;
    } else if (is_newc() && type == AE_IFREG && archive_entry_nlink(header) > 1) {
        entry.kind = Kind::file;
        entry.inode.emplace(archive_entry_dev(header), archive_entry_ino64(header));
    } else if (link == nullptr || size_.value_or(0) > 0) {
        entry.kind = Kind::file;
    } else {
        budget_.take_name(std::strlen(link));
        std::optional<std::string> target = normalized_name(link);
        entry.kind = target ? Kind::hard_link : Kind::skipped;
        entry.target = std::move(target).value_or(std::string());
    }
}

bool ArchiveReader::State::read(ContentBlock& block) {
    block = {};
    if (phase_ == Phase::rest) return read_rest(block);
    if (phase_ != Phase::content) return false;
    const void* bytes = nullptr;
    std::size_t length = 0;
    la_int64_t offset = 0;
    const ScopedLocale locale(charset());
    const int status = archive_read_data_block(handle_.get(), &bytes, &length, &offset);
    feed_->rethrow();
    if (status == ARCHIVE_EOF) {
        end_content(block);
        return block.zeros > 0;
    }
    if (status != ARCHIVE_OK) fail();
    const auto place = static_cast<std::uint64_t>(offset);
    if (length > 0) {
        if (offset < 0 || place < offset_) fail("a sparse file's parts are not in their order");
        block.zeros = place - offset_;
        block.bytes = {static_cast<const char*>(bytes), length};
        if (size_ && (place > *size_ || length > *size_ - place)) {
            fail("an entry is longer than its header says");
        }
        budget_.take_content(block.zeros + length);
        if (stored_crc_) crc_ = ::crc32_z(crc_, static_cast<const Bytef*>(bytes), length);
        offset_ = place + length;
        stored_ += length;
    }
    return true;
}

// A tar's sparse entry may end in a hole.
void ArchiveReader::State::end_content(ContentBlock& block) {
    phase_ = Phase::header;
    if (stored_crc_ && *stored_crc_ != crc_) fail("wrong checksum");
    if (!size_ || offset_ == *size_) return;
    if (!is_tar()) fail("an entry is shorter than its header says");
    block.zeros = *size_ - offset_;
    budget_.take_content(block.zeros);
}

void ArchiveReader::State::charge_overhead(std::uint64_t position) {
    if (streamed_) budget_.set_overhead(position - std::min(position, stored_));
}

std::optional<RarBlock> ArchiveReader::State::find_rar_block(std::uint64_t end) {
    const RarVersion version = is_rar5() ? RarVersion::rar5 : RarVersion::rar4;
    auto offset = static_cast<std::uint64_t>(archive_read_header_position(handle_.get()));
    for (;;) {
        if (stopping_()) throw CompareError::cancelled();
        const std::optional<RarBlock> block = rar_block_at(source_, version, offset);
        const bool found =
            block && (block->data == end || block->kind == RarBlock::Kind::end_of_archive);
        if (!block || found) return block;
        offset = block->next;
    }
}

// Behind the last entry: to the end, by which a compressed stream is found whole too.
bool ArchiveReader::State::read_rest(ContentBlock& block) {
    block.bytes = feed_->next();
    if (!block.bytes.empty()) {
        charge_overhead(feed_->delivered());
        return true;
    }
    const std::uint64_t end = position();
    phase_ = Phase::ended;
    if (is_tar()) {
        // libarchive takes the end of the stream for the end as well.
        const auto header = static_cast<std::uint64_t>(archive_read_header_position(handle_.get()));
        if (end < header + 2 * tar_block) fail("truncated: there is no end-of-archive marker");
        if (feed_->data_end() > end - 2 * tar_block) {
            fail("data after the end of the archive, or no end-of-archive marker");
        }
    } else if (feed_->data_end() > end) {
        fail("data after the end of the archive");
    }
    return false;
}

void ArchiveReader::State::fail() {
    const char* const reason = archive_error_string(handle_.get());
    const std::string text = reason != nullptr ? reason : "corrupt or truncated";
    const bool encrypted = archive_read_has_encrypted_entries(handle_.get()) > 0 ||
                           text.find("ncrypt") != std::string::npos;
    fail(encrypted ? "encrypted, which cannot be read: " + text : text);
}

void ArchiveReader::State::fail(const std::string& what) {
    fail_archive(source_, is_named_as_volume(source_.name())
                              ? what + " (is it a part of a multi-volume archive?)"
                              : what);
}

ArchiveReader::ArchiveReader(Source& source, const ArchiveOptions& limits,
                             std::function<bool()> stopping)
    : state_(std::make_unique<State>(source, limits, std::move(stopping))) {}

ArchiveReader::~ArchiveReader() = default;

bool ArchiveReader::next(ArchiveEntry& entry) { return state_->next(entry); }
bool ArchiveReader::read(ContentBlock& block) { return state_->read(block); }
bool ArchiveReader::has_signature() const noexcept { return state_->has_signature(); }

}  // namespace filetree::compare
