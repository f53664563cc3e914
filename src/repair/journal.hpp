#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "../fs/unique_fd.hpp"
#include "filetree/repair.hpp"

namespace filetree::repair {

// One line of a journal: a change about to be made. JSON with these members, in this order:
//     {"time": seconds since 1970, "path": "...", "device": n, "inode": n, "size": n,
//      "mtime": nanoseconds since 1970, "uid": n, "old": {"gid": n, "mode": "0644"},
//      "new": {"gid": n, "mode": "2755"}}
// Modes are permission bits in octal. The path is absolute, without symlinks; a byte that is not
// part of UTF-8 is a lone surrogate, U+DC80 and up, as Python's surrogateescape has it.
struct JournalLine {
    std::int64_t time = 0;
    std::string path;
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t mtime = 0;
    std::uint32_t uid = 0;
    std::uint32_t old_gid = 0;
    std::uint32_t new_gid = 0;
    std::uint32_t old_mode = 0;
    std::uint32_t new_mode = 0;
};

using FileIdentity = std::pair<std::uint64_t, std::uint64_t>;  // device, inode

// Since 1970; a time that is further away than can be said is as far as can be said.
[[nodiscard]] std::int64_t nanoseconds_of(const Timestamp& time) noexcept;

// With a newline.
void append_line(const JournalLine& line, std::string& out);
// Of a line without its newline. Strict: nothing but what append_line writes.
[[nodiscard]] std::optional<JournalLine> parse_line(std::string_view text);

// A journal being written. What has been there before stays.
//
// Threads: any. Each append is one write, and several threads' appends share one sync.
class Journal {
   public:
    // Creates the file, for its owner alone, or goes on with one of this user's. Throws
    // SystemError: EPERM when the file is another's, others may write to it, or it has other links;
    // ELOOP when it is a symlink; EBUSY while another Journal has it; EINVAL when it is something
    // else.
    explicit Journal(const std::string& path);

    // Returns when the lines are on the disk. Throws SystemError.
    void append(std::string_view lines);

    // Others may have the file. Nothing can be appended any more.
    void close() noexcept;

    [[nodiscard]] FileIdentity identity() const;
    // Of what may be gone on with; nothing where there is none.
    [[nodiscard]] static std::optional<FileIdentity> identity_at(const std::string& path);

   private:
    void lock();
    void drop_torn_line(std::uint64_t size);
    void write(std::string_view lines);
    [[noreturn]] void fail(int error, const char* reason = "") const;

    const std::string path_;
    UniqueFd fd_;
    std::mutex mutex_;
    std::condition_variable synced_to_;
    std::uint64_t written_ = 0;
    std::uint64_t synced_ = 0;
    bool syncing_ = false;
    int error_ = 0;
};

// A journal read from its end.
//
// Threads: one.
class JournalReader {
   public:
    // Throws SystemError; when `trusted` is wanted, EPERM if others than root could have written
    // it, EBUSY if another process has it.
    JournalReader(const std::string& path, bool trusted);

    // The line before the one returned last, without its newline; nothing at the beginning. A last
    // line that was not written to its end is left out: its change was not made.
    // Throws SystemError.
    [[nodiscard]] std::optional<std::string> previous();
    // Others may have the file; there are no more lines.
    void close() noexcept;

    // Where the line returned last begins.
    [[nodiscard]] std::uint64_t offset() const noexcept { return begin_ + rest_.size(); }

   private:
    void read_more();

    const std::string path_;
    UniqueFd fd_;
    std::uint64_t begin_ = 0;  // where rest_ begins in the file
    std::string rest_;         // read, but not yet returned; ends with a newline, or is empty
};

}  // namespace filetree::repair
