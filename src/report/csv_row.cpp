#include "csv_row.hpp"

#include <charconv>

#include "names.hpp"

namespace filetree::report {
namespace {

// More than all numbers, quotes and commas of a row, and what is written beyond its end.
constexpr std::size_t longest_numbers = 512;
constexpr int mode_digits = 7;

// Writes to memory that has been ensured.
class Cursor {
   public:
    explicit Cursor(char* at) : at_(at) {}

    template <class Integer>
    Cursor& number(Integer value) noexcept {
        at_ = std::to_chars(at_, at_ + 24, value).ptr;
        return *this;
    }
    template <class Integer>
    Cursor& field(Integer value) noexcept {
        return character(',').number(value);
    }
    Cursor& field(RepeatedField& text, std::int64_t value) noexcept {
        at_ = text.write(value, at_);
        return *this;
    }
    Cursor& character(char c) noexcept {
        *at_++ = c;
        return *this;
    }
    Cursor& raw(std::string_view text) noexcept {
        std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return *this;
    }
    // Doubles quotes and drops what is below 32.
    Cursor& escaped(std::string_view text) noexcept {
        if (is_plain(text)) return text.empty() ? *this : raw(text);
        for (const char c : text) {
            if (static_cast<unsigned char>(c) < 32) continue;
            if (c == '"') *at_++ = '"';
            *at_++ = c;
        }
        return *this;
    }
    Cursor& mode(std::uint32_t mode) noexcept {
        for (int digit = mode_digits - 1; digit >= 0; --digit) {
            *at_++ = static_cast<char>('0' + ((mode >> (3U * static_cast<unsigned>(digit))) & 7U));
        }
        return *this;
    }
    [[nodiscard]] char* end() const noexcept { return at_; }

   private:
    char* at_;
};

}  // namespace

const std::string_view csv_header =
    "inode,parent-inode,directory-depth,\"filename\",\"fileExtension\",UID,GID,st_size,st_dev,"
    "st_blocks,st_nlink,\"st_mode\",st_atime,st_mtime,st_ctime,pw_fcount,pw_dirsum\n";

void RepeatedField::set(std::int64_t value) noexcept {
    value_ = value;
    char* const end = std::to_chars(text_.data() + 1, text_.data() + width, value).ptr;
    length_ = static_cast<std::size_t>(end - text_.data());
}

void CsvRow::set_place(std::uint64_t parent_inode, std::int32_t depth, std::string_view path) {
    place_.resize(longest_numbers + 2 * path.size());
    Cursor cursor(place_.data());
    cursor.field(parent_inode).field(depth).raw(",\"").escaped(path);
    place_.resize(static_cast<std::size_t>(cursor.end() - place_.data()));
}

void CsvRow::append(const Attributes& a, std::string_view name, std::string_view extension,
                    std::int64_t file_count, std::int64_t dir_sum, ByteBuffer& out) {
    out.ensure(place_.size() + 2 * (name.size() + extension.size()) + longest_numbers);
    Cursor cursor(out.end());
    cursor.number(a.inode).raw(place_).escaped(name).raw("\",\"").escaped(extension).character('"');
    cursor.field(uid_, a.uid).field(gid_, a.gid).field(static_cast<std::int64_t>(a.size));
    cursor.field(device_, static_cast<std::int64_t>(a.device));
    cursor.field(static_cast<std::int64_t>(a.blocks));
    cursor.field(links_, static_cast<std::int32_t>(a.links));
    cursor.raw(",\"").mode(a.mode).character('"');
    cursor.field(atime_, a.atime.seconds).field(mtime_, a.mtime.seconds);
    cursor.field(ctime_, a.ctime.seconds);
    cursor.field(file_count).field(dir_sum).character('\n');
    out.set_end(cursor.end());
}

}  // namespace filetree::report
