#include "zip_directory.hpp"

#include <algorithm>
#include <array>
#include <span>
#include <string_view>

#include "fields.hpp"
#include "filetree/compare.hpp"
#include "libarchive.hpp"
#include "reading.hpp"

namespace filetree::compare {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t elsewhere = 0xffffffff;  // stands for what is in the zip64's own field

// Of an entry in the directory: signature (4), versions (2, 2), flags (2), method (2), time (4),
// CRC (4), sizes (4, 4), lengths of name, extra fields and comment (2, 2, 2), disk (2), attributes
// (2, 4), place (4), and then what these lengths are of.
constexpr std::size_t record_size = 46;
struct ZipRecord {
    explicit ZipRecord(std::string_view bytes) {
        Fields fields(bytes);
        fields.skip(8);
        flags = fields.fixed(2);
        method = fields.fixed(2);
        fields.skip(4);
        crc = fields.fixed(4);
        packed = fields.fixed(4);
        size = fields.fixed(4);
        name = fields.fixed(2);
        extra = fields.fixed(2);
        comment = fields.fixed(2);
        fields.skip(8);
        header = fields.fixed(4);
    }
    [[nodiscard]] std::size_t whole() const { return record_size + name + extra + comment; }

    std::uint64_t flags = 0;
    std::uint64_t method = 0;
    std::uint64_t crc = 0;
    std::uint64_t packed = 0;
    std::uint64_t size = 0;
    std::uint64_t header = 0;
    std::size_t name = 0;  // lengths
    std::size_t extra = 0;
    std::size_t comment = 0;
};

// Before the content: signature (4), version (2), flags (2), method (2), time (4), CRC (4), sizes
// (4, 4), lengths of name and extra fields (2, 2), and then these.
constexpr std::size_t local_header_size = 30;

// Signature (4), numbers of disks (2, 2), entries on this one and in all (2, 2), the directory's
// size and place (4, 4), the length of a comment (2).
constexpr std::size_t end_size = 22;
constexpr std::size_t comment_at = 20;
constexpr std::size_t longest_comment = 65535;

// Signature (4), a disk (4), the place of the zip64's end (8), number of disks (4).
constexpr std::size_t locator_size = 20;

// Signature (4), its own size (8), versions (2, 2), numbers of disks (4, 4), entries on this one
// and in all (8, 8), the directory's size and place (8, 8).
constexpr std::size_t end64_size = 56;

// `end` with the place of the directory, which lies before `place` and says that it is at `told`.
std::optional<ZipEnd> placed(ZipEnd end, std::uint64_t place, std::uint64_t told) {
    if (end.size > place || told > place - end.size) return {};
    end.directory = place - end.size;
    end.moved = end.directory - told;
    return end;
}

// `locator` is where that lies, right behind it.
std::optional<ZipEnd> zip64_end(Source& source, std::uint64_t place, std::uint64_t locator) {
    if (place > locator) return {};
    std::array<char, end64_size> bytes{};
    const std::size_t length = source.read_at(place, bytes);
    if (!std::string_view(bytes.data(), length).starts_with("PK\x06\x06"sv)) return {};
    Fields fields(bytes);
    fields.skip(4);
    if (place + 12 + fields.fixed(8) != locator) return {};
    fields.skip(20);
    ZipEnd end{.zip64 = true};
    end.entries = fields.fixed(8);
    end.size = fields.fixed(8);
    return placed(end, place, fields.fixed(8));
}

}  // namespace

std::optional<ZipEnd> zip_end(Source& source) {
    if (!source.size()) return {};
    std::vector<char> last(
        std::min<std::uint64_t>(locator_size + end_size + longest_comment, *source.size()));
    const std::uint64_t begin = *source.size() - last.size();
    const std::string_view tail(last.data(), source.read_at(begin, last));
    const std::size_t found = tail.rfind("PK\x05\x06"sv);
    if (found == std::string_view::npos || found + end_size > tail.size()) return {};
    Fields fields(tail.substr(found));
    fields.skip(4);
    const std::uint64_t disk = fields.fixed(2);
    if (disk != 0 && disk != 0xffff) return ZipEnd{.is_of_volume = true};
    if (found >= locator_size) {
        const std::string_view locator = tail.substr(found - locator_size, locator_size);
        if (locator.starts_with("PK\x06\x07"sv)) {
            Fields place(locator);
            place.skip(8);
            return zip64_end(source, place.fixed(8), begin + found - locator_size);
        }
    }
    fields.skip(4);
    ZipEnd end;
    end.entries = fields.fixed(2);
    end.size = fields.fixed(4);
    return placed(end, begin + found, fields.fixed(4));
}

bool is_empty_zip(Source& source) {
    std::array<char, end_size> end{};
    if (source.read_at(0, end) < end.size() || !source.size()) return false;
    if (std::string_view(end.data(), 4) != "PK\x05\x06"sv) return false;
    const bool nothing =
        std::all_of(end.begin() + 4, end.begin() + comment_at, [](char byte) { return byte == 0; });
    Fields comment(end);
    comment.skip(comment_at);
    return nothing && *source.size() == end.size() + comment.fixed(2);
}

ZipDirectory::ZipDirectory(Source& source, SourceStream& stream,
                           const std::function<bool()>& stopping)
    : source_(source), stream_(stream) {
    const std::optional<ZipEnd> end = zip_end(source);
    if (!end) fail_archive(source, "a zip whose central directory is not where it says");
    read(*end, stopping);
    const std::uint64_t mask = end->zip64 ? ~std::uint64_t{0} : 0xffffU;
    if ((records_.size() & mask) != end->entries) {
        fail_archive(source, "a zip that says it has " + std::to_string(end->entries) +
                                 " entries, and has " + std::to_string(records_.size()));
    }
    for (Record& record : records_) record.header += end->moved;
    const auto place = [](const Record& record) { return record.header; };
    std::ranges::sort(records_, {}, place);
    if (std::ranges::adjacent_find(records_, {}, place) != records_.end()) {
        fail_archive(source, "a zip with entries that share their content");
    }
    if (!records_.empty() && records_.back().header >= end->directory) {
        fail_archive(source, "a zip with an entry behind its central directory");
    }
}

// In parts, so that a size that is not true takes no memory.
void ZipDirectory::read(const ZipEnd& end, const std::function<bool()>& stopping) {
    while (bytes_.size() < end.size) {
        if (stopping()) throw CompareError::cancelled();
        const std::size_t before = bytes_.size();
        bytes_.resize(std::min<std::uint64_t>(end.size, before + usual_chunk));
        const std::span<char> part = std::span(bytes_).subspan(before);
        if (source_.read_at(end.directory + before, part) < part.size()) {
            fail_archive(source_, "a truncated zip");
        }
        add_whole_records();
    }
    if (parsed_ != bytes_.size()) fail_archive(source_, "a corrupt central directory of a zip");
}

void ZipDirectory::add_whole_records() {
    const std::string_view all = bytes_;
    while (all.size() - parsed_ >= record_size) {
        const std::string_view rest = all.substr(parsed_);
        if (!rest.starts_with("PK\x01\x02"sv)) {
            fail_archive(source_, "a corrupt central directory of a zip");
        }
        const ZipRecord record(rest);
        if (record.whole() > rest.size()) return;
        const std::uint64_t header = record.header == elsewhere
                                         ? header_in_zip64(parsed_).value_or(elsewhere)
                                         : record.header;
        records_.push_back({header, parsed_});
        parsed_ += record.whole();
    }
}

// The extra field 1 has 8 bytes for each of size, packed size and place that stands for it.
std::optional<std::uint64_t> ZipDirectory::header_in_zip64(std::size_t place) const {
    const std::string_view bytes = std::string_view(bytes_).substr(place);
    const ZipRecord record(bytes);
    std::string_view extra = bytes.substr(record_size + record.name, record.extra);
    while (extra.size() >= 4) {
        Fields fields(extra);
        const std::uint64_t kind = fields.fixed(2);
        const std::size_t length = 4 + fields.fixed(2);
        if (kind == 1) {
            if (record.size == elsewhere) fields.skip(8);
            if (record.packed == elsewhere) fields.skip(8);
            const std::uint64_t header = fields.fixed(8);
            if (fields.used() > std::min(length, extra.size())) return {};
            return header;
        }
        extra.remove_prefix(std::min(length, extra.size()));
    }
    return {};
}

void ZipDirectory::check_next(std::optional<std::uint64_t> content) {
    constexpr std::uint64_t encrypted = 1U | 1U << 6U | 1U << 13U;
    constexpr std::uint64_t patch = 1U << 5U;
    if (next_ == records_.size()) {
        fail_archive(source_, "an entry that the central directory does not have");
    }
    const Record& record = records_[next_++];
    const std::string_view bytes = std::string_view(bytes_).substr(record.place);
    const ZipRecord told(bytes);
    if ((told.flags & encrypted) != 0) fail_archive(source_, "encrypted, which cannot be read");
    if ((told.flags & patch) != 0) fail_archive(source_, "a patch, which cannot be read");
    // Libarchive looks at the checksum of what there is to read.
    if (told.size == 0 && told.crc != 0) fail_archive(source_, "wrong checksum");

    std::string header(local_header_size + told.name, '\0');
    header.resize(stream_.read_at(record.header, header));
    Fields fields(header);
    fields.skip(8);
    const std::uint64_t method = fields.fixed(2);
    fields.skip(16);
    const std::uint64_t name = fields.fixed(2);
    const std::uint64_t extra = fields.fixed(2);
    const bool same = name == told.name && method == told.method &&
                      std::string_view(header).substr(std::min(local_header_size, header.size())) ==
                          bytes.substr(record_size, told.name);
    const bool there = !content || *content == record.header + local_header_size + name + extra;
    if (!same || !there) {
        fail_archive(source_, "an entry that is not what the central directory says");
    }
}

void ZipDirectory::check_end() const {
    if (next_ == records_.size()) return;
    fail_archive(source_, "an entry of the central directory that is not there");
}

}  // namespace filetree::compare
