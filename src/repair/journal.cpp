#include "journal.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <limits>
#include <thread>

#include "../fs/platform.hpp"
#include "../fs/utf8.hpp"
#include "../fs/whole_io.hpp"

namespace filetree::repair {
namespace {

constexpr std::string_view line_begin = R"({"time": )";

// ---- Writing a line ---------------------------------------------------------------------------

void append_unicode_escape(unsigned code, std::string& out) {
    std::array<char, 8> text{};
    (void)std::snprintf(text.data(), text.size(), "\\u%04x", code);
    out += text.data();
}

void append_json_string(std::string_view bytes, std::string& out) {
    out.push_back('"');
    while (!bytes.empty()) {
        const std::size_t length = utf8_length(bytes);
        const auto byte = static_cast<unsigned char>(bytes[0]);
        if (length == 0) {
            append_unicode_escape(0xDC00U + byte, out);
        } else if (byte < 32 || byte == 127) {
            append_unicode_escape(byte, out);
        } else if (byte == '"' || byte == '\\') {
            out.push_back('\\');
            out.push_back(bytes[0]);
        } else {
            out.append(bytes.substr(0, length));
        }
        bytes.remove_prefix(std::max<std::size_t>(length, 1));
    }
    out.push_back('"');
}

template <class Number>
void append_number(std::string_view name, Number number, std::string& out) {
    out.append(name).append(std::to_string(number));
}

void append_values(std::string_view name, std::uint32_t gid, std::uint32_t mode, std::string& out) {
    std::array<char, 16> octal{};
    (void)std::snprintf(octal.data(), octal.size(), "%04o", mode);
    append_number(name, gid, out);
    out.append(R"(, "mode": ")").append(octal.data()).append("\"}");
}

// ---- Reading a line ---------------------------------------------------------------------------

// Takes a line apart from its front. Once something is not as it must be, it stays bad.
class Cursor {
   public:
    explicit Cursor(std::string_view text) : text_(text) {}

    [[nodiscard]] bool good() const noexcept { return good_; }
    [[nodiscard]] bool at_end() const noexcept { return good_ && text_.empty(); }

    Cursor& literal(std::string_view expected) {
        good_ = good_ && text_.starts_with(expected);
        if (good_) text_.remove_prefix(expected.size());
        return *this;
    }

    template <class Number>
    Cursor& number(std::string_view name, Number& out, int base = 10) {
        if (!literal(name).good_) return *this;
        const auto [end, error] =
            std::from_chars(text_.data(), text_.data() + text_.size(), out, base);
        good_ = error == std::errc();
        if (good_) text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
        return *this;
    }

    Cursor& values(std::string_view name, std::uint32_t& gid, std::uint32_t& mode) {
        number(name, gid).number(R"(, "mode": ")", mode, 8).literal("\"}");
        good_ = good_ && mode <= 07777;
        return *this;
    }

    Cursor& string(std::string_view name, std::string& out) {
        literal(name).literal("\"");
        while (good_ && !text_.empty() && text_[0] != '"') take_character(out);
        return literal("\"");
    }

   private:
    void take_character(std::string& out) {
        if (text_[0] != '\\') {
            const std::size_t length = utf8_length(text_);
            good_ = length > 0 && static_cast<unsigned char>(text_[0]) >= 32;
            if (!good_) return;
            out.append(text_.substr(0, length));
            text_.remove_prefix(length);
        } else if (text_.starts_with("\\u")) {
            take_unicode_escape(out);
        } else {
            good_ = text_.starts_with("\\\"") || text_.starts_with("\\\\");
            if (!good_) return;
            out.push_back(text_[1]);
            text_.remove_prefix(2);
        }
    }

    void take_unicode_escape(std::string& out) {
        unsigned code = 0;
        const std::string_view digits = text_.substr(2, 4);
        const auto [end, error] =
            std::from_chars(digits.data(), digits.data() + digits.size(), code, 16);
        good_ = error == std::errc() && end == digits.data() + 4;
        if (good_ && code >= 0xDC80 && code <= 0xDCFF) code -= 0xDC00;  // a byte, not a character
        good_ = good_ && code > 0 && code < 0x100;
        if (!good_) return;
        out.push_back(static_cast<char>(code));
        text_.remove_prefix(6);
    }

    std::string_view text_;
    bool good_ = true;
};

constexpr int patience_for_lock = 200;  // times 10 ms
constexpr std::size_t block_size = std::size_t{1} << 20U;
// No path is longer; what has such a line is no journal.
constexpr std::size_t longest_line = std::size_t{16} << 20U;

struct stat status_of(int fd, const std::string& path) {
    struct stat status {};
    if (::fstat(fd, &status) != 0) throw SystemError(errno, path);
    if (!S_ISREG(status.st_mode)) {
        throw SystemError(S_ISDIR(status.st_mode) ? EISDIR : EINVAL, path);
    }
    return status;
}

std::string read_at(int fd, std::uint64_t offset, std::size_t length, const std::string& path) {
    std::string bytes(length, '\0');
    if (const int error = read_all_at(fd, offset, bytes.data(), length)) {
        throw SystemError(error, path);
    }
    return bytes;
}

// The first line without its newline; nothing when there is no newline in what may be a line.
std::optional<std::string> first_line(int fd, std::uint64_t size, const std::string& path) {
    std::string head;
    while (head.size() < size && head.size() <= longest_line) {
        const std::uint64_t length = std::min<std::uint64_t>(size - head.size(), block_size);
        const std::size_t seen = head.size();
        head += read_at(fd, seen, length, path);
        const std::size_t end = head.find('\n', seen);
        if (end != std::string::npos) return head.substr(0, end);
    }
    return std::nullopt;
}

// Whether a line may begin so.
bool may_begin_line(std::string_view text) {
    const auto takes = [&text](std::string_view expected) {
        const bool good = text.starts_with(expected) || expected.starts_with(text);
        text.remove_prefix(std::min(text.size(), expected.size()));
        return good;
    };
    if (!takes(line_begin)) return false;
    text.remove_prefix(std::min(text.find_first_not_of("-0123456789"), text.size()));
    return takes(R"(, "path": "/)");
}

// A file whose name is lost in a power cut is lost.
void sync_directory_of(const std::string& path) {
    const std::string directory = directory_of(path);
    const UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const int error = fd ? sync_directory(fd.get()) : errno;
    if (error != 0) throw SystemError(error, directory);
}

bool writable_for_others(const struct stat& status) {
    return (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
}

}  // namespace

void append_line(const JournalLine& line, std::string& out) {
    append_number(line_begin, line.time, out);
    out.append(R"(, "path": )");
    append_json_string(line.path, out);
    append_number(R"(, "device": )", line.device, out);
    append_number(R"(, "inode": )", line.inode, out);
    append_number(R"(, "size": )", line.size, out);
    append_number(R"(, "mtime": )", line.mtime, out);
    append_number(R"(, "uid": )", line.uid, out);
    append_values(R"(, "old": {"gid": )", line.old_gid, line.old_mode, out);
    append_values(R"(, "new": {"gid": )", line.new_gid, line.new_mode, out);
    out.append("}\n");
}

std::optional<JournalLine> parse_line(std::string_view text) {
    JournalLine line;
    Cursor cursor(text);
    cursor.number(line_begin, line.time)
        .string(R"(, "path": )", line.path)
        .number(R"(, "device": )", line.device)
        .number(R"(, "inode": )", line.inode)
        .number(R"(, "size": )", line.size)
        .number(R"(, "mtime": )", line.mtime)
        .number(R"(, "uid": )", line.uid)
        .values(R"(, "old": {"gid": )", line.old_gid, line.old_mode)
        .values(R"(, "new": {"gid": )", line.new_gid, line.new_mode)
        .literal("}");
    if (!cursor.at_end() || !line.path.starts_with('/')) return std::nullopt;
    // Other ways to write the same, such as leading zeros and needless escapes.
    std::string again;
    append_line(line, again);
    again.pop_back();
    if (again != text) return std::nullopt;
    return line;
}

std::int64_t nanoseconds_of(const Timestamp& time) noexcept {
    constexpr std::int64_t second = 1'000'000'000;
    constexpr std::int64_t most = std::numeric_limits<std::int64_t>::max() / second - 1;
    return std::clamp(time.seconds, -most, most) * second + time.nanoseconds;
}

Journal::Journal(const std::string& path) : path_(path) {
    constexpr int flags = O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK;
    fd_ = UniqueFd(::open(path.c_str(), flags, 0600));
    if (!fd_) fail(errno);
    const struct stat status = status_of(fd_.get(), path);
    if (status.st_uid != ::geteuid() || writable_for_others(status) || status.st_nlink != 1) {
        fail(EPERM, "others could have written to the journal");
    }
    lock();
    drop_torn_line(static_cast<std::uint64_t>(status_of(fd_.get(), path).st_size));
    sync_directory_of(path);
}

FileIdentity Journal::identity() const {
    const struct stat status = status_of(fd_.get(), path_);
    return {status.st_dev, status.st_ino};
}

std::optional<FileIdentity> Journal::identity_at(const std::string& path) {
    struct stat status {};
    if (::lstat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
    return FileIdentity{status.st_dev, status.st_ino};
}

// Until it is closed. A line that another repair is writing would look torn. Threads of one that
// has just ended may take a moment to let go.
void Journal::lock() {
    for (int attempt = 0; ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0; ++attempt) {
        if (errno != EWOULDBLOCK) return;  // a file system without locks
        if (attempt == patience_for_lock) fail(EBUSY, "another process uses the journal");
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

// What was being written when its writer was killed; its change has not been made. Whatever is no
// journal stays as it is, even if its lines begin as ours do.
void Journal::drop_torn_line(std::uint64_t size) {
    std::string tail;
    std::uint64_t begin = size;
    while (begin > 0 && tail.find('\n') == std::string::npos && tail.size() <= longest_line) {
        const std::uint64_t length = std::min<std::uint64_t>(begin, block_size);
        tail.insert(0, read_at(fd_.get(), begin - length, length, path_));
        begin -= length;
    }
    tail.erase(0, tail.rfind('\n') + 1);  // npos + 1 is 0
    const auto head = tail.size() < size ? first_line(fd_.get(), size, path_) : std::nullopt;
    const bool ours = tail.size() == size || (head && parse_line(*head));
    if (!ours || !may_begin_line(tail)) fail(EINVAL, "this is no journal");
    if (!tail.empty() && ::ftruncate(fd_.get(), static_cast<off_t>(size - tail.size())) != 0) {
        fail(errno);
    }
}

void Journal::append(std::string_view lines) {
    std::unique_lock lock(mutex_);
    if (error_ != 0) fail(error_);
    write(lines);
    written_ += lines.size();
    const std::uint64_t wanted = written_;
    while (synced_ < wanted) {
        if (error_ != 0) fail(error_);
        if (syncing_) {
            synced_to_.wait(lock);
            continue;
        }
        syncing_ = true;
        const std::uint64_t covered = written_;
        lock.unlock();
        const int error = platform::sync_data(fd_.get()) == 0 ? 0 : errno;
        lock.lock();
        syncing_ = false;
        // A write that has failed meanwhile stays failed: after a torn line nothing may follow.
        if (error != 0) error_ = error;
        if (error == 0) synced_ = covered;
        synced_to_.notify_all();
    }
}

void Journal::close() noexcept {
    std::unique_lock lock(mutex_);
    synced_to_.wait(lock, [this] { return !syncing_; });
    if (error_ == 0) error_ = ECANCELED;
    fd_ = {};
}

void Journal::write(std::string_view lines) {
    error_ = write_all(fd_.get(), lines);
    if (error_ != 0) fail(error_);
}

void Journal::fail(int error, const char* reason) const { throw SystemError(error, path_, reason); }

JournalReader::JournalReader(const std::string& path, bool trusted) : path_(path) {
    fd_ = UniqueFd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!fd_) throw SystemError(errno, path);
    const struct stat status = status_of(fd_.get(), path);
    if (trusted && (status.st_uid != 0 || writable_for_others(status))) {
        throw SystemError(EPERM, path, "others could have written to the journal");
    }
    if (trusted && ::flock(fd_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
        throw SystemError(EBUSY, path, "another process uses the journal");
    }
    begin_ = static_cast<std::uint64_t>(status.st_size);
    while (begin_ > 0 && rest_.find('\n') == std::string::npos) read_more();
    rest_.resize(rest_.rfind('\n') + 1);  // npos + 1 is 0
}

std::optional<std::string> JournalReader::previous() {
    for (;;) {
        if (rest_.empty() && begin_ == 0) return std::nullopt;
        // The newline before the one that ends the line.
        const std::size_t before =
            rest_.size() < 2 ? std::string::npos : rest_.rfind('\n', rest_.size() - 2);
        if (before == std::string::npos && begin_ > 0) {
            read_more();
            continue;
        }
        const std::size_t start = before == std::string::npos ? 0 : before + 1;
        std::string line = rest_.substr(start, rest_.size() - 1 - start);
        rest_.resize(start);
        return line;
    }
}

void JournalReader::close() noexcept {
    begin_ = 0;
    rest_.clear();
    fd_ = {};
}

void JournalReader::read_more() {
    if (rest_.size() > longest_line) throw SystemError(EINVAL, path_);
    const std::uint64_t length = std::min<std::uint64_t>(begin_, block_size);
    rest_.insert(0, read_at(fd_.get(), begin_ - length, length, path_));
    begin_ -= length;
}

}  // namespace filetree::repair
