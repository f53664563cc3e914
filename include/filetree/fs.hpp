#pragma once

// The seam between the product and the operating system.
//
// Everything above this header sees a file system only through FileSystem and Directory, so that it
// can be tested on a computed tree (synthetic_fs.hpp) and on a failing one (faulty_fs.hpp). Calls
// cross the seam in batches, which makes the virtual calls free.
//
// Threads: a FileSystem may be used by any number of threads. A Directory may be asked for stat()
// and open() by any number of threads at once, but read() has one caller at a time, because it
// moves the listing's position.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/error.hpp"

namespace filetree {

// The values of dirent's d_type. `unknown` means that only stat can tell.
enum class EntryType : std::uint8_t {
    unknown = 0,
    fifo = 1,
    character_device = 2,
    directory = 4,
    block_device = 6,
    regular = 8,
    symlink = 10,
    socket = 12,
};

struct Timestamp {
    std::int64_t seconds = 0;  // since 1970-01-01T00:00:00Z
    std::uint32_t nanoseconds = 0;

    bool operator==(const Timestamp&) const = default;
};

// An entry's metadata as lstat(2) gives it, and what statx(2) adds.
struct Attributes {
    std::uint64_t inode = 0;
    std::uint64_t device = 0;    // as st_dev
    std::uint64_t mount_id = 0;  // stx_mnt_id; st_dev where the kernel gives none
    std::uint64_t size = 0;      // bytes
    std::uint64_t blocks = 0;    // of 512 bytes
    std::uint64_t links = 0;
    Timestamp atime;
    Timestamp mtime;
    Timestamp ctime;
    std::uint32_t mode = 0;
    std::uint32_t uid = 0;
    std::uint32_t gid = 0;
    std::uint64_t special_device = 0;  // st_rdev: which one, of device files
    bool automount_point = false;      // opening it would trigger a mount

    [[nodiscard]] EntryType type() const noexcept {
        return static_cast<EntryType>((mode & 0170000U) >> 12U);  // as IFTODT of dirent.h
    }
    [[nodiscard]] bool is_directory() const noexcept { return type() == EntryType::directory; }
    // Of one file, or one directory, whatever names and mounts led to it.
    [[nodiscard]] bool has_inode_of(const Attributes& other) const noexcept {
        return inode == other.inode && device == other.device;
    }
    // Seen through one mount, too: one directory can have other file systems below it elsewhere.
    [[nodiscard]] bool has_place_of(const Attributes& other) const noexcept {
        return has_inode_of(other) && mount_id == other.mount_id;
    }
};

// One lstat's outcome. `attributes` is valid when `error` (an errno) is 0.
struct StatResult {
    Attributes attributes;
    int error = 0;
};

// Which attributes a stat is asked for: only what tells a directory from another entry and a mount
// from its surroundings (cheap even where a size must be asked of other servers); that, and mtime
// and ctime (which reading does not make stale in a network file system's cache, as it does atime);
// or all of them.
enum class StatMask : std::uint8_t { type, change, all };

// Names of one directory, packed into one buffer. "." and ".." are never in it.
class Listing {
   public:
    void add(std::string_view name, EntryType type) {
        names_.push_back({static_cast<std::uint32_t>(characters_.size()),
                          static_cast<std::uint32_t>(name.size()), type});
        characters_.append(name);
        characters_.push_back('\0');
    }
    void reserve(std::size_t names, std::size_t characters) {
        names_.reserve(names);
        characters_.reserve(characters);
    }
    void clear() noexcept {
        names_.clear();
        characters_.clear();
    }
    void set_type(std::size_t i, EntryType type) noexcept { names_[i].type = type; }
    // The names after it move up by one.
    void erase(std::size_t i) { names_.erase(names_.begin() + static_cast<std::ptrdiff_t>(i)); }

    [[nodiscard]] std::size_t size() const noexcept { return names_.size(); }
    [[nodiscard]] bool empty() const noexcept { return names_.empty(); }
    // Valid until the next add() or clear(). NUL-terminated.
    [[nodiscard]] const char* c_str(std::size_t i) const noexcept {
        return characters_.data() + names_[i].offset;
    }
    [[nodiscard]] std::string_view name(std::size_t i) const noexcept {
        return {c_str(i), names_[i].length};
    }
    [[nodiscard]] EntryType type(std::size_t i) const noexcept { return names_[i].type; }
    // Memory occupied, in bytes.
    [[nodiscard]] std::size_t footprint() const noexcept {
        return characters_.capacity() + names_.capacity() * sizeof(Name);
    }

   private:
    struct Name {
        std::uint32_t offset;
        std::uint32_t length;
        EntryType type;
    };
    std::string characters_;
    std::vector<Name> names_;
};

// What a thread lends to the calls it makes: a way to be told to stop, a pulse that shows others
// that its calls return, and a scratch buffer. Used by one thread; `beats` and `stop` may be
// touched from others.
class CallContext {
   public:
    explicit CallContext(const std::atomic<bool>& stop) : stop_(&stop) {}

    [[nodiscard]] bool stop_requested() const noexcept {
        return stop_->load(std::memory_order_relaxed);
    }
    // Called after every system call that returned.
    void beat() noexcept {
        beats_.store(beats_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
    }
    [[nodiscard]] std::uint64_t beats() const noexcept {
        return beats_.load(std::memory_order_relaxed);
    }
    // Index of the name a running Directory::stat() is at; meaningful while it runs.
    void at(std::size_t index) noexcept { at_.store(index, std::memory_order_relaxed); }
    [[nodiscard]] std::size_t at() const noexcept { return at_.load(std::memory_order_relaxed); }

    [[nodiscard]] char* scratch() {
        if (!scratch_) scratch_ = std::make_unique<char[]>(scratch_size);
        return scratch_.get();
    }
    static constexpr std::size_t scratch_size = 128 * 1024;

   private:
    const std::atomic<bool>* stop_;
    std::atomic<std::uint64_t> beats_{0};
    std::atomic<std::size_t> at_{0};
    std::unique_ptr<char[]> scratch_;
};

// An entry held by a descriptor: what happens to its name does not matter any more. Changes are
// refused with EROFS where a file system has none.
class Entry {
   public:
    Entry() = default;
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;
    virtual ~Entry() = default;

    [[nodiscard]] virtual StatResult attributes(CallContext& context) = 0;

    // Whether it has an extended attribute of this name.
    [[nodiscard]] virtual Result<bool> has_extended_attribute(const char* name,
                                                              CallContext& context);

    // Both return an errno. The kernel clears setuid and setgid bits of what is no directory when
    // its group changes.
    [[nodiscard]] virtual int set_group(std::uint32_t gid, CallContext& context);
    // Sets permission bits, 07777. A symlink has none of its own: EOPNOTSUPP.
    [[nodiscard]] virtual int set_mode(std::uint32_t mode, CallContext& context);
};

// A place in a file's storage, in bytes.
struct Extent {
    std::uint64_t logical;
    std::uint64_t physical;
    std::uint64_t length;

    bool operator==(const Extent&) const = default;
};

// A file open for reading. Any number of threads may read at once.
class File {
   public:
    File() = default;
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    virtual ~File() = default;

    [[nodiscard]] virtual StatResult attributes() = 0;
    // What they were when it was opened.
    [[nodiscard]] virtual StatResult opened_attributes() { return attributes(); }
    // Whether the size says how much there is to read. Not so in views into a kernel, such as
    // /proc.
    [[nodiscard]] virtual bool has_true_size() = 0;
    // Fills `out` from `offset` on; fewer bytes only at the end of the file.
    [[nodiscard]] virtual Result<std::size_t> read_at(std::uint64_t offset,
                                                      std::span<char> out) = 0;
    // The first place at or after `offset` that has storage: `offset` where that cannot be told,
    // nothing when only a hole follows.
    [[nodiscard]] virtual std::optional<std::uint64_t> next_data(std::uint64_t offset) = 0;
    // Where it is stored, if every byte of it shares its storage with another file. With `sync`
    // what has been changed in memory only is written first. Empty: not so, or not known.
    [[nodiscard]] virtual std::vector<Extent> shared_extents(bool sync) = 0;
};

class Directory : public Entry {
   public:
    // Appends the next batch of names to `out`. The value is false at the end of the directory.
    // On an error, names already appended by this call are valid but the listing is not complete.
    [[nodiscard]] virtual Result<bool> read(Listing& out, CallContext& context) = 0;

    // lstat of names [first, last); the result of name i goes to out[i - first]. Returns how many
    // were done: fewer than asked only when the context asked to stop.
    [[nodiscard]] virtual std::size_t stat(const Listing& names, std::size_t first,
                                           std::size_t last, StatMask mask, StatResult* out,
                                           CallContext& context) = 0;

    // Opens a directory in this one. Never follows a symlink: ENOTDIR or ELOOP then.
    [[nodiscard]] virtual Result<std::shared_ptr<Directory>> open(const char* name,
                                                                  CallContext& context) = 0;

    // For readers of content; EOPNOTSUPP where a file system has none.
    //
    // Opens the directory that a name leads to, through symlinks.
    [[nodiscard]] virtual Result<std::shared_ptr<Directory>> open_target(const char* name,
                                                                         CallContext& context);
    // Opens what the caller has seen to be a regular file. Should it be one no more, nothing waits:
    // EISDIR, or EINVAL. A symlink is followed, or ELOOP.
    [[nodiscard]] virtual Result<std::shared_ptr<File>> open_file(const char* name, bool follow,
                                                                  CallContext& context);
    // lstat of one name; of what it leads to when `follow`.
    [[nodiscard]] virtual StatResult attributes_of(const char* name, bool follow,
                                                   CallContext& context);
    // A symlink's text.
    [[nodiscard]] virtual Result<std::string> read_link(const char* name, CallContext& context);

    // Where it is, without symlinks; "" when that cannot be told.
    [[nodiscard]] virtual std::string path() const { return {}; }

    // Takes hold of an entry of this directory, whatever its type, without opening it: no FIFO
    // waits, no device notices. A symlink is not followed. `name` may lead upwards ("../..").
    [[nodiscard]] virtual Result<std::unique_ptr<Entry>> pin(const char* name,
                                                             CallContext& context);

    // Whether mtime or ctime change with every name added, removed or renamed. Not so in views into
    // a kernel, such as /proc. `attributes` are the directory's own.
    [[nodiscard]] virtual bool dates_changes(const Attributes& attributes,
                                             CallContext& context) = 0;
};

class FileSystem {
   public:
    FileSystem() = default;
    FileSystem(const FileSystem&) = delete;
    FileSystem& operator=(const FileSystem&) = delete;
    virtual ~FileSystem() = default;

    // Opens a directory by its path, as opendir(3) does. Unless `follow`, the last name must not be
    // a symlink: ENOTDIR or ELOOP then.
    [[nodiscard]] virtual Result<std::shared_ptr<Directory>> open(const std::string& path,
                                                                  CallContext& context,
                                                                  bool follow = true) = 0;

    // Opens a file for reading: a regular one, or /dev/null. Another is not opened, so no FIFO
    // waits and no device notices: EISDIR, or EINVAL.
    [[nodiscard]] virtual Result<std::shared_ptr<File>> open_file(const std::string& path,
                                                                  CallContext& context);

    // lstat of a path; of what it leads to when `follow`.
    [[nodiscard]] virtual StatResult attributes(const std::string& path, bool follow, StatMask mask,
                                                CallContext& context) = 0;

    // Whether another file system is mounted somewhere below a directory, or that cannot be told.
    [[nodiscard]] virtual bool has_mounts_below(const std::string& path) const = 0;

    // How many Directory objects may be open at once, as things are now.
    [[nodiscard]] virtual std::size_t descriptor_budget() const = 0;
};

}  // namespace filetree
