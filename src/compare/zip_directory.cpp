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

// Stand for what is in the zip64's own fields.
constexpr std::uint64_t elsewhere = 0xffffffff;
constexpr std::uint64_t elsewhere16 = 0xffff;

constexpr std::uint64_t zip64_field = 1;
constexpr std::uint64_t unicode_path_field = 0x7075;  // a name that is taken before the other one

// The contents of all extra fields of one kind.
std::vector<std::string_view> extra_fields(std::string_view extra, std::uint64_t kind) {
    constexpr std::size_t head = 4;
    std::vector<std::string_view> found;
    while (extra.size() >= head) {
        Fields fields(extra);
        const std::uint64_t its_kind = fields.fixed(2);
        const std::size_t size = fields.fixed(2);
        if (size > extra.size() - head) break;
        if (its_kind == kind) found.push_back(extra.substr(head, size));
        extra.remove_prefix(head + size);
    }
    return found;
}

// Of an entry in the directory: signature (4), versions (2, 2), flags (2), method (2), time (4),
// CRC (4), sizes (4, 4), lengths of name, extra fields and comment (2, 2, 2), disk (2), attributes
// (2, 4), place (4), and then what these lengths are of.
class ZipRecord {
   public:
    static constexpr std::size_t fixed_size = 46;

    // `bytes` may go on, or be cut off behind the fixed part.
    explicit ZipRecord(std::string_view bytes) {
        Fields fields(bytes);
        fields.skip(8);
        flags = fields.fixed(2);
        method = fields.fixed(2);
        fields.skip(4);
        crc = fields.fixed(4);
        packed = fields.fixed(4);
        size = fields.fixed(4);
        const std::size_t name_size = fields.fixed(2);
        const std::size_t extra_size = fields.fixed(2);
        const std::size_t comment_size = fields.fixed(2);
        fields.skip(8);
        header = fields.fixed(4);
        whole = fixed_size + name_size + extra_size + comment_size;
        if (whole > bytes.size()) return;
        name = bytes.substr(fixed_size, name_size);
        extra = bytes.substr(fixed_size + name_size, extra_size);
        take_zip64();
    }

    std::uint64_t flags = 0;
    std::uint64_t method = 0;
    std::uint64_t crc = 0;
    std::uint64_t packed = 0;
    std::uint64_t size = 0;
    std::uint64_t header = 0;
    std::size_t whole = 0;  // its own size
    std::string_view name;
    std::string_view extra;

   private:
    // Its field has 8 bytes for each of these that is elsewhere.
    void take_zip64() {
        const std::vector<std::string_view> found = extra_fields(extra, zip64_field);
        if (found.size() != 1) return;
        Fields fields(found.front());
        for (std::uint64_t* const number : {&size, &packed, &header}) {
            if (*number != elsewhere) continue;
            const std::uint64_t value = fields.fixed(8);
            if (fields.used() <= found.front().size()) *number = value;
        }
    }
};

// Before the content: signature (4), version (2), flags (2), method (2), time (4), CRC (4), sizes
// (4, 4), lengths of name and extra fields (2, 2), and then these.
struct ZipHeader {
    static constexpr std::size_t fixed_size = 30;

    ZipHeader(SourceStream& stream, std::uint64_t place) {
        std::array<char, fixed_size> bytes{};
        Fields fields({bytes.data(), stream.read_at(place, bytes)});
        fields.skip(6);
        flags = fields.fixed(2);
        method = fields.fixed(2);
        fields.skip(4);
        crc = fields.fixed(4);
        packed = fields.fixed(4);
        size = fields.fixed(4);
        name_size = fields.fixed(2);
        rest.resize(name_size + fields.fixed(2));
        rest.resize(stream.read_at(place + fixed_size, rest));
        end = place + fixed_size + rest.size();
    }
    [[nodiscard]] std::string_view name() const {
        return std::string_view(rest).substr(0, name_size);
    }
    [[nodiscard]] std::string_view extra() const {
        return std::string_view(rest).substr(std::min(name_size, rest.size()));
    }

    std::uint64_t flags = 0;
    std::uint64_t method = 0;
    std::uint64_t crc = 0;
    std::uint64_t packed = 0;
    std::uint64_t size = 0;
    std::size_t name_size = 0;
    std::string rest;
    std::uint64_t end = 0;
};

// Whether the two make the same file of it. Libarchive looks at what a zip64 says of sizes.
bool say_the_same(const ZipHeader& header, const ZipRecord& record) {
    constexpr std::uint64_t sizes_are_behind = 1U << 3U;
    const auto same_size = [](std::uint64_t at_content, std::uint64_t told) {
        return at_content == told || at_content == elsewhere;
    };
    const bool same_numbers =
        (header.flags & sizes_are_behind) != 0 ||
        (header.crc == record.crc && same_size(header.packed, record.packed) &&
         same_size(header.size, record.size));
    return same_numbers && header.name() == record.name && header.method == record.method &&
           extra_fields(header.extra(), unicode_path_field) ==
               extra_fields(record.extra, unicode_path_field);
}

// Signature (4), numbers of disks (2, 2), entries on this one and in all (2, 2), the directory's
// size and place (4, 4), the length of a comment (2).
constexpr std::size_t end_size = 22;
constexpr std::size_t comment_at = 20;
constexpr std::size_t longest_comment = 65535;

// Signature (4), a disk (4), the place of the zip64's end (8), number of disks (4).
constexpr std::size_t locator_size = 20;

// Signature (4), the size of the rest (8), versions (2, 2), numbers of disks (4, 4), entries on
// this one and in all (8, 8), the directory's size and place (8, 8).
constexpr std::size_t end64_size = 56;

// `end` as a zip64 has it, of which the locator lies at `place`.
std::optional<ZipEnd> zip64_end(Source& source, std::string_view locator, std::uint64_t place) {
    Fields where(locator);
    where.skip(4);
    const std::uint64_t disk = where.fixed(4);
    const std::uint64_t begin = where.fixed(8);
    if (disk != 0 || where.fixed(4) != 1 || begin > place) return {};

    std::array<char, end64_size> bytes{};
    const std::size_t length = source.read_at(begin, bytes);
    if (!std::string_view(bytes.data(), length).starts_with("PK\x06\x06"sv)) return {};
    Fields fields(bytes);
    fields.skip(4);
    const std::uint64_t rest = fields.fixed(8);
    fields.skip(4);
    const bool is_one_disk = fields.fixed(4) == 0 && fields.fixed(4) == 0;
    const std::uint64_t entries_here = fields.fixed(8);
    ZipEnd end{.zip64 = true};
    end.entries = fields.fixed(8);
    end.size = fields.fixed(8);
    end.directory = fields.fixed(8);
    const bool is_right_before = begin + 12 + rest == place && rest >= end64_size - 12 &&
                                 end.size <= begin && end.directory == begin - end.size;
    if (!is_one_disk || entries_here != end.entries || !is_right_before) return {};
    return end;
}

}  // namespace

std::optional<ZipEnd> zip_end(Source& source) {
    if (source.size().value_or(0) < end_size) return {};
    std::vector<char> last(
        std::min<std::uint64_t>(locator_size + end_size + longest_comment, *source.size()));
    const std::uint64_t begin = *source.size() - last.size();
    const std::string_view tail(last.data(), source.read_at(begin, last));
    if (tail.size() < end_size) return {};
    const std::size_t found = tail.rfind("PK\x05\x06"sv, tail.size() - end_size);
    if (found == std::string_view::npos) return {};

    Fields fields(tail.substr(found));
    fields.skip(4);
    const std::uint64_t disk = fields.fixed(2);
    if (disk != 0 && disk != elsewhere16) return ZipEnd{.is_of_volume = true};
    fields.skip(2);
    const std::uint64_t entries_here = fields.fixed(2);
    ZipEnd end;
    end.entries = fields.fixed(2);
    end.size = fields.fixed(4);
    end.directory = fields.fixed(4);
    const bool comment_is_there = fields.fixed(2) <= tail.size() - found - end_size;
    if (entries_here != end.entries || !comment_is_there) return {};

    if (found >= locator_size) {
        const std::string_view locator = tail.substr(found - locator_size, locator_size);
        if (locator.starts_with("PK\x06\x07"sv)) {
            const auto other = zip64_end(source, locator, begin + found - locator_size);
            const bool same = other &&
                              (end.entries == elsewhere16 || end.entries == other->entries) &&
                              (end.size == elsewhere || end.size == other->size) &&
                              (end.directory == elsewhere || end.directory == other->directory);
            return same ? other : std::nullopt;
        }
    }
    if (end.size > begin + found || end.directory > begin + found - end.size) return {};
    end.moved = begin + found - end.size - end.directory;
    end.directory += end.moved;
    return end;
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

ZipDirectory::ZipDirectory(Source& source, SourceStream& stream, std::uint64_t most,
                           const std::function<bool()>& stopping)
    : source_(source), stream_(stream) {
    const std::optional<ZipEnd> end = zip_end(source);
    if (!end) fail_archive(source, "a zip whose central directory is not where it says");
    if (end->size > most) fail_archive(source, "the central directory of a zip is too large");
    read(*end, stopping);
    const std::uint64_t mask = end->zip64 ? ~std::uint64_t{0} : elsewhere16;
    if ((records_.size() & mask) != end->entries) {
        fail_archive(source, "a zip that says it has " + std::to_string(end->entries) +
                                 " entries, and has " + std::to_string(records_.size()));
    }
    for (Record& record : records_) record.header += end->moved;
    std::ranges::sort(records_, {}, &Record::header);
    if (std::ranges::adjacent_find(records_, {}, &Record::header) != records_.end()) {
        fail_archive(source, "a zip with entries that share their content");
    }
    if (!records_.empty() && records_.back().header >= end->directory) {
        fail_archive(source, "a zip with an entry behind its central directory");
    }
}

// In parts, so that it can be cancelled.
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
    while (all.size() - parsed_ >= ZipRecord::fixed_size) {
        const std::string_view rest = all.substr(parsed_);
        if (!rest.starts_with("PK\x01\x02"sv)) {
            fail_archive(source_, "a corrupt central directory of a zip");
        }
        const ZipRecord record(rest);
        if (record.whole > rest.size()) return;
        records_.push_back({record.header, parsed_});
        parsed_ += record.whole;
    }
}

void ZipDirectory::check_next(bool is_directory, std::optional<std::uint64_t> content) {
    constexpr std::uint64_t encrypted = 1U | 1U << 6U | 1U << 13U;
    constexpr std::uint64_t patch = 1U << 5U;
    if (next_ == records_.size()) {
        fail_archive(source_, "an entry that the central directory does not have");
    }
    const Record& place = records_[next_++];
    const ZipRecord record(std::string_view(bytes_).substr(place.at));
    if ((record.flags & encrypted) != 0) fail_archive(source_, "encrypted, which cannot be read");
    if ((record.flags & patch) != 0) fail_archive(source_, "a patch, which cannot be read");
    // Libarchive looks at the checksum of what there is to read.
    if (record.size == 0 && record.crc != 0) fail_archive(source_, "wrong checksum");
    constexpr std::uint64_t largest_method = 0xff;  // libarchive looks at its first byte
    if (record.method > largest_method) fail_archive(source_, "an unknown compression method");
    if (record.name.find('\0') != std::string_view::npos) {
        fail_archive(source_, "an entry with a zero in its name");
    }
    // By its attributes, while others go by the name.
    const bool is_named_so = record.name.ends_with('/') || record.name.ends_with('\\');
    if (is_directory && (record.size != 0 || !is_named_so)) {
        fail_archive(source_, "a directory that is a file as well");
    }
    const ZipHeader header(stream_, place.header);
    if (!say_the_same(header, record) || (content && *content != header.end)) {
        fail_archive(source_, "an entry that is not what the central directory says");
    }
}

void ZipDirectory::check_end() const {
    if (next_ == records_.size()) return;
    fail_archive(source_, "an entry of the central directory that is not there");
}

}  // namespace filetree::compare
