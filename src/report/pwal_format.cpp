#include "pwal_format.hpp"

#include <bit>
#include <limits>

namespace filetree::report::pwal {
namespace {

constexpr std::int64_t nanos = 1'000'000'000;

static_assert(std::endian::native == std::endian::little ||
              std::endian::native == std::endian::big);

// Writes to memory that has been ensured.
class Writer {
   public:
    explicit Writer(char* at) : at_(at) {}

    template <class T>
    Writer& put(T value) noexcept {
        std::memcpy(at_, &value, sizeof value);
        at_ += sizeof value;
        return *this;
    }
    Writer& put(std::string_view text) noexcept {
        if (!text.empty()) std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        *at_++ = '\0';
        return *this;
    }
    [[nodiscard]] char* end() const noexcept { return at_; }

   private:
    char* at_;
};

template <class T>
T byte_swapped(T value) noexcept {
    char bytes[sizeof value];
    std::memcpy(bytes, &value, sizeof value);
    for (std::size_t i = 0; i < sizeof value / 2; ++i) {
        std::swap(bytes[i], bytes[sizeof value - 1 - i]);
    }
    std::memcpy(&value, bytes, sizeof value);
    return value;
}

// Reads what is known to be there.
class Reader {
   public:
    Reader(const char* at, bool swapped) : at_(at), swapped_(swapped) {}

    template <class T>
    [[nodiscard]] T get() noexcept {
        T value;
        std::memcpy(&value, at_, sizeof value);
        at_ += sizeof value;
        return swapped_ ? byte_swapped(value) : value;
    }

   private:
    const char* at_;
    bool swapped_;
};

std::int64_t to_nanoseconds(const Timestamp& time, unsigned& clamped) noexcept {
    constexpr std::int64_t latest = std::numeric_limits<std::int64_t>::max() / nanos - 1;
    constexpr std::int64_t earliest = std::numeric_limits<std::int64_t>::min() / nanos + 1;
    if (time.seconds >= earliest && time.seconds <= latest) {
        return time.seconds * nanos + time.nanoseconds;
    }
    ++clamped;
    return time.seconds > latest ? std::numeric_limits<std::int64_t>::max()
                                 : std::numeric_limits<std::int64_t>::min();
}

Timestamp to_timestamp(std::int64_t value, bool nanoseconds) noexcept {
    if (!nanoseconds) return {value, 0};
    std::int64_t seconds = value / nanos;
    std::int64_t rest = value % nanos;
    if (rest < 0) {
        --seconds;
        rest += nanos;
    }
    return {seconds, static_cast<std::uint32_t>(rest)};
}

}  // namespace

void append_header(std::uint64_t record_count, std::uint64_t timestamp, ByteBuffer& out) {
    constexpr std::uint16_t order =
        std::endian::native == std::endian::big ? flag_big_endian : std::uint16_t{0};
    const auto flags = static_cast<std::uint16_t>(flag_nanoseconds | order);
    out.ensure(header_size);
    Writer writer(out.end());
    writer.put(magic).put(version).put(flags).put(record_count).put(timestamp);
    out.set_end(writer.end());
}

unsigned append_record(const Record& record, ByteBuffer& out) {
    const Attributes& a = record.attributes;
    out.ensure(record_size + record.filename.size() + record.extension.size() + 2);
    unsigned clamped = 0;
    Writer writer(out.end());
    writer.put(a.inode).put(record.parent_inode).put(record.depth).put(a.uid).put(a.gid);
    writer.put(a.size).put(a.device).put(a.blocks).put(a.links).put(a.mode);
    writer.put(to_nanoseconds(a.atime, clamped)).put(to_nanoseconds(a.mtime, clamped));
    writer.put(to_nanoseconds(a.ctime, clamped)).put(record.file_count).put(record.dir_sum);
    writer.put(static_cast<std::uint16_t>(record.filename.size()));
    writer.put(static_cast<std::uint16_t>(record.extension.size()));
    writer.put(record.filename).put(record.extension);
    out.set_end(writer.end());
    return clamped;
}

HeaderFault parse_header(std::string_view bytes, Layout& out) noexcept {
    if (bytes.size() < sizeof magic) return HeaderFault::too_short;
    Reader plain(bytes.data(), false);
    const auto found = plain.get<std::uint32_t>();
    if (found != magic && found != byte_swapped(magic)) return HeaderFault::foreign;
    if (bytes.size() < header_size) return HeaderFault::too_short;
    out.swapped = found != magic;
    Reader reader(bytes.data() + sizeof magic, out.swapped);
    if (reader.get<std::uint16_t>() != version) return HeaderFault::newer;
    out.header.flags = reader.get<std::uint16_t>();
    out.header.record_count = reader.get<std::uint64_t>();
    out.header.timestamp = reader.get<std::uint64_t>();
    return HeaderFault::none;
}

Parsed parse_record(std::string_view bytes, const Layout& layout, Record& out,
                    std::size_t& length) noexcept {
    if (bytes.size() < record_size) return Parsed::torn;
    const bool nanoseconds = (layout.header.flags & flag_nanoseconds) != 0;
    Reader reader(bytes.data(), layout.swapped);
    const auto get_time = [&] { return to_timestamp(reader.get<std::int64_t>(), nanoseconds); };
    Attributes& a = out.attributes;
    a.inode = reader.get<std::uint64_t>();
    out.parent_inode = reader.get<std::uint64_t>();
    out.depth = reader.get<std::int32_t>();
    a.uid = reader.get<std::uint32_t>();
    a.gid = reader.get<std::uint32_t>();
    a.size = reader.get<std::uint64_t>();
    a.device = reader.get<std::uint64_t>();
    a.blocks = reader.get<std::uint64_t>();
    a.links = reader.get<std::uint64_t>();
    a.mode = reader.get<std::uint32_t>();
    a.atime = get_time();
    a.mtime = get_time();
    a.ctime = get_time();
    out.file_count = reader.get<std::int64_t>();
    out.dir_sum = reader.get<std::int64_t>();
    const std::size_t filename_length = reader.get<std::uint16_t>();
    const std::size_t extension_length = reader.get<std::uint16_t>();

    length = record_size + filename_length + 1 + extension_length + 1;
    if (bytes.size() < length) return Parsed::torn;
    out.filename = bytes.substr(record_size, filename_length);
    out.extension = bytes.substr(record_size + filename_length + 1, extension_length);
    const bool ended = bytes[record_size + filename_length] == '\0' && bytes[length - 1] == '\0';
    return ended && filename_length > 0 ? Parsed::whole : Parsed::damaged;
}

}  // namespace filetree::report::pwal
