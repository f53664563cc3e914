#include "filetree/posix_fs.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string_view>

#include "from_stat.hpp"
#include "posix_file.hpp"
#include "unique_fd.hpp"

namespace filetree {
namespace {

// Left to the rest of the process: output files, pipes, libraries.
constexpr std::size_t reserved_descriptors = 16;
constexpr std::size_t smallest_budget = 8;
constexpr std::size_t largest_budget = 16384;

std::size_t open_descriptors() {
    std::size_t count = 0;
    if (DIR* listing = ::opendir("/proc/self/fd")) {
        while (::readdir(listing) != nullptr) ++count;
        ::closedir(listing);
    }
    return count;
}

std::size_t budget_left_by_rlimit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return smallest_budget;
    const std::size_t allowed = std::min<rlim_t>(limit.rlim_cur, 4 * largest_budget);
    const std::size_t taken = open_descriptors() + reserved_descriptors;
    return std::clamp(allowed > taken ? allowed - taken : 0, smallest_budget, largest_budget);
}

// What one PosixFileSystem has learned about the kernel; shared by its directories.
struct Abilities {
    explicit Abilities(const PosixOptions& options) : dont_sync(options.cached_attributes) {}

    std::atomic<bool> noatime{true};    // until the kernel says EPERM
    std::atomic<bool> statx{true};      // until the kernel says ENOSYS, or seccomp EPERM
    std::atomic<bool> dont_sync;        // until the kernel says EINVAL
    std::atomic<bool> fchmodat2{true};  // until the kernel says ENOSYS, or seccomp EPERM
    // The last device that was seen to date its changes. No device has the number 0.
    std::atomic<std::uint64_t> dating_device{0};
};

unsigned statx_mask(StatMask mask) noexcept {
    constexpr unsigned type = STATX_MNT_ID | STATX_TYPE | STATX_MODE | STATX_INO;
    switch (mask) {
        case StatMask::type:
            return type;
        case StatMask::change:
            return type | STATX_MTIME | STATX_CTIME;
        case StatMask::all:
            break;
    }
    return STATX_MNT_ID | STATX_BASIC_STATS;
}

Timestamp from_statx(const statx_timestamp& time) noexcept { return {time.tv_sec, time.tv_nsec}; }

void from_statx(const struct statx& in, Attributes& out) noexcept {
    out.inode = in.stx_ino;
    out.device = ::makedev(in.stx_dev_major, in.stx_dev_minor);
    out.mount_id = (in.stx_mask & STATX_MNT_ID) != 0 ? in.stx_mnt_id : out.device;
    out.size = in.stx_size;
    out.blocks = in.stx_blocks;
    out.links = in.stx_nlink;
    out.atime = from_statx(in.stx_atime);
    out.mtime = from_statx(in.stx_mtime);
    out.ctime = from_statx(in.stx_ctime);
    out.mode = in.stx_mode;
    out.uid = in.stx_uid;
    out.gid = in.stx_gid;
    out.special_device = ::makedev(in.stx_rdev_major, in.stx_rdev_minor);
    out.automount_point = (in.stx_attributes & STATX_ATTR_AUTOMOUNT) != 0;
}

int fstatat_one(int fd, const char* name, int flags, Attributes& out) noexcept {
    struct stat plain {};
    if (::fstatat(fd, name, &plain, flags) != 0) return errno;
    out = from_stat(plain);
    return 0;
}

// lstat of `name` in `fd`, or of `fd` itself when `flags` has AT_EMPTY_PATH.
int stat_one(Abilities& abilities, int fd, const char* name, int flags, StatMask mask,
             Attributes& out) noexcept {
    flags |= AT_NO_AUTOMOUNT;
    if (!abilities.statx.load(std::memory_order_relaxed)) return fstatat_one(fd, name, flags, out);

    struct statx extended;
    const bool dont_sync = abilities.dont_sync.load(std::memory_order_relaxed);
    const int sync = dont_sync ? AT_STATX_DONT_SYNC : AT_STATX_SYNC_AS_STAT;
    if (::statx(fd, name, flags | sync, statx_mask(mask), &extended) == 0) {
        from_statx(extended, out);
        return 0;
    }
    const int error = errno;
    if (error == EINVAL && dont_sync) {
        abilities.dont_sync.store(false, std::memory_order_relaxed);
        return stat_one(abilities, fd, name, flags, mask, out);
    }
    if (error == ENOSYS || error == EPERM) {
        const int plain_error = fstatat_one(fd, name, flags, out);
        if (plain_error == 0) abilities.statx.store(false, std::memory_order_relaxed);
        return plain_error;
    }
    return error;
}

// O_NOATIME is for owners and root only; others are refused with EPERM once, then not tried again.
Result<UniqueFd> open_directory(Abilities& abilities, int at, const char* path, int flags) {
    flags |= O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK;
    if (abilities.noatime.load(std::memory_order_relaxed)) {
        if (UniqueFd fd{::openat(at, path, flags | O_NOATIME)}) return {std::move(fd), 0};
        if (errno != EPERM) return Result<UniqueFd>::failure(errno);
        abilities.noatime.store(false, std::memory_order_relaxed);
    }
    if (UniqueFd fd{::openat(at, path, flags)}) return {std::move(fd), 0};
    return Result<UniqueFd>::failure(errno);
}

// The kernel's struct linux_dirent64; `d_name` follows the type byte and ends with a NUL.
struct DirentHeader {
    std::uint64_t d_ino;
    std::int64_t d_off;
    std::uint16_t d_reclen;
    std::uint8_t d_type;
};
constexpr std::size_t dirent_name_offset = 19;

constexpr std::size_t usual_dirent = 32;  // bytes

void append_names(const char* buffer, std::size_t bytes, Listing& out) {
    if (out.empty()) out.reserve(bytes / usual_dirent, bytes / 2);
    for (std::size_t at = 0; at < bytes;) {
        DirentHeader header;
        std::memcpy(&header, buffer + at, dirent_name_offset);
        const std::string_view name(buffer + at + dirent_name_offset);
        if (name != "." && name != "..") out.add(name, static_cast<EntryType>(header.d_type));
        at += header.d_reclen;
    }
}

// Not in every libc's headers: Linux 6.6.
#ifdef SYS_fchmodat2
constexpr long fchmodat2_number = SYS_fchmodat2;
#else
constexpr long fchmodat2_number = 452;
#endif

int change_group(int fd, std::uint32_t gid) noexcept {
    constexpr auto same_owner = static_cast<uid_t>(-1);
    return ::fchownat(fd, "", same_owner, gid, AT_EMPTY_PATH) == 0 ? 0 : errno;
}

std::string own_path(int fd) { return "/proc/self/fd/" + std::to_string(fd); }

Result<std::string> read_link_at(int fd, const char* name) {
    std::string text(256, '\0');
    for (;;) {
        const ssize_t length = ::readlinkat(fd, name, text.data(), text.size());
        if (length < 0) return Result<std::string>::failure(errno);
        const auto used = static_cast<std::size_t>(length);
        const bool whole = used < text.size();
        text.resize(whole ? used : 2 * text.size());
        if (whole) return {std::move(text), 0};
    }
}

// fgetxattr(2) refuses descriptors that were opened with O_PATH.
Result<bool> has_attribute(int fd, const char* name) {
    if (::getxattr(own_path(fd).c_str(), name, nullptr, 0) >= 0) return {true, 0};
    if (errno == ENODATA || errno == EOPNOTSUPP) return {false, 0};
    return Result<bool>::failure(errno);
}

// fchmod(2) refuses descriptors that were opened with O_PATH.
int change_mode(Abilities& abilities, int fd, std::uint32_t mode) noexcept {
    if (abilities.fchmodat2.load(std::memory_order_relaxed)) {
        if (::syscall(fchmodat2_number, fd, "", mode, AT_EMPTY_PATH) == 0) return 0;
        // Where seccomp does not know the call it may say EPERM.
        if (errno != ENOSYS && errno != EPERM) return errno;
    }
    if (::chmod(own_path(fd).c_str(), mode) != 0) return errno;
    abilities.fchmodat2.store(false, std::memory_order_relaxed);
    return 0;
}

// What can be done through a descriptor of any kind, as an Entry or as a Directory.
template <class Base>
class Held : public Base {
   public:
    Held(UniqueFd fd, std::shared_ptr<Abilities> abilities)
        : fd_(std::move(fd)), abilities_(std::move(abilities)) {}

    StatResult attributes(CallContext& context) override {
        StatResult result;
        result.error =
            stat_one(*abilities_, fd_.get(), "", AT_EMPTY_PATH, StatMask::all, result.attributes);
        context.beat();
        return result;
    }

    Result<bool> has_extended_attribute(const char* name, CallContext& context) override {
        const Result<bool> result = has_attribute(fd_.get(), name);
        context.beat();
        return result;
    }

    int set_group(std::uint32_t gid, CallContext& context) override {
        const int error = change_group(fd_.get(), gid);
        context.beat();
        return error;
    }

    int set_mode(std::uint32_t mode, CallContext& context) override {
        const int error = change_mode(*abilities_, fd_.get(), mode);
        context.beat();
        return error;
    }

   protected:
    const UniqueFd fd_;
    const std::shared_ptr<Abilities> abilities_;
};

class PosixDirectory final : public Held<Directory> {
   public:
    using Held::Held;

    Result<bool> read(Listing& out, CallContext& context) override {
        const long bytes =
            ::syscall(SYS_getdents64, fd_.get(), context.scratch(), CallContext::scratch_size);
        const int error = errno;
        context.beat();
        if (bytes < 0) return Result<bool>::failure(error);
        append_names(context.scratch(), static_cast<std::size_t>(bytes), out);
        return {bytes > 0, 0};
    }

    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask mask,
                     StatResult* out, CallContext& context) override {
        for (std::size_t i = first; i < last; ++i, ++out) {
            if (context.stop_requested()) return i - first;
            context.at(i);
            out->error = stat_one(*abilities_, fd_.get(), names.c_str(i), AT_SYMLINK_NOFOLLOW, mask,
                                  out->attributes);
            context.beat();
        }
        return last - first;
    }

    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        return open_within(name, O_NOFOLLOW, context);
    }

    Result<std::shared_ptr<Directory>> open_target(const char* name,
                                                   CallContext& context) override {
        return open_within(name, 0, context);
    }

    Result<std::shared_ptr<File>> open_file(const char* name, bool follow,
                                            CallContext& context) override {
        auto opened = open_posix_file_at(fd_.get(), name, follow, storage_);
        context.beat();
        return opened;
    }

    StatResult attributes_of(const char* name, bool follow, CallContext& context) override {
        StatResult result;
        result.error = stat_one(*abilities_, fd_.get(), name, follow ? 0 : AT_SYMLINK_NOFOLLOW,
                                StatMask::type, result.attributes);
        context.beat();
        return result;
    }

    Result<std::string> read_link(const char* name, CallContext& context) override {
        auto text = read_link_at(fd_.get(), name);
        context.beat();
        return text;
    }

    [[nodiscard]] std::string path() const override {
        return read_link_at(AT_FDCWD, own_path(fd_.get()).c_str()).value;
    }

    Result<std::unique_ptr<Entry>> pin(const char* name, CallContext& context) override {
        UniqueFd fd{::openat(fd_.get(), name, O_PATH | O_NOFOLLOW | O_CLOEXEC)};
        const int error = fd ? 0 : errno;
        context.beat();
        if (error != 0) return Result<std::unique_ptr<Entry>>::failure(error);
        return {std::make_unique<Held<Entry>>(std::move(fd), abilities_), 0};
    }

    // A file system without any capacity is a view into the kernel: proc, sysfs, cgroup and their
    // like. FUSE servers often do not tell theirs.
    bool dates_changes(const Attributes& attributes, CallContext& context) override {
        if (attributes.device == abilities_->dating_device.load(std::memory_order_relaxed)) {
            return true;
        }
        struct statfs file_system {};
        const bool known = ::fstatfs(fd_.get(), &file_system) == 0;
        context.beat();
        if (!known || (file_system.f_blocks == 0 && file_system.f_type != FUSE_SUPER_MAGIC)) {
            return false;
        }
        abilities_->dating_device.store(attributes.device, std::memory_order_relaxed);
        return true;
    }

   private:
    Result<std::shared_ptr<Directory>> open_within(const char* name, int flags,
                                                   CallContext& context) {
        auto opened = open_directory(*abilities_, fd_.get(), name, flags);
        context.beat();
        if (!opened.ok()) return Result<std::shared_ptr<Directory>>::failure(opened.error);
        return {std::make_shared<PosixDirectory>(std::move(opened.value), abilities_), 0};
    }

    StorageMemory storage_;
};

// A field of /proc/self/mountinfo, where white space and backslashes are written as octal numbers.
std::string unescaped(std::string_view field) {
    std::string out;
    for (std::size_t i = 0; i < field.size(); ++i) {
        if (field[i] == '\\' && i + 3 < field.size()) {
            const auto digit = [&](std::size_t k) { return field[i + k] - '0'; };
            out.push_back(static_cast<char>(digit(1) * 64 + digit(2) * 8 + digit(3)));
            i += 3;
        } else {
            out.push_back(field[i]);
        }
    }
    return out;
}

bool mounted_below(const std::string& path) {
    const std::unique_ptr<char, decltype(&std::free)> resolved(::realpath(path.c_str(), nullptr),
                                                               &std::free);
    std::ifstream mounts("/proc/self/mountinfo");
    if (!resolved || !mounts) return true;
    std::string prefix(resolved.get());
    if (!prefix.ends_with('/')) prefix.push_back('/');
    for (std::string line; std::getline(mounts, line);) {
        // proc(5): the fifth field is the mount point.
        std::istringstream fields(line);
        std::string point;
        for (int i = 0; i < 5; ++i) fields >> point;
        point = unescaped(point);
        if (point.size() > prefix.size() && point.starts_with(prefix)) return true;
    }
    return false;
}

class PosixFileSystem final : public FileSystem {
   public:
    explicit PosixFileSystem(const PosixOptions& options)
        : abilities_(std::make_shared<Abilities>(options)), budget_(options.descriptor_budget) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool follow) override {
        auto opened = open_directory(*abilities_, AT_FDCWD, path.c_str(), follow ? 0 : O_NOFOLLOW);
        context.beat();
        if (!opened.ok()) return Result<std::shared_ptr<Directory>>::failure(opened.error);
        return {std::make_shared<PosixDirectory>(std::move(opened.value), abilities_), 0};
    }

    Result<std::shared_ptr<File>> open_file(const std::string& path,
                                            CallContext& context) override {
        auto opened = open_posix_file(path.c_str());
        context.beat();
        return opened;
    }

    StatResult attributes(const std::string& path, bool follow, StatMask mask,
                          CallContext& context) override {
        StatResult result;
        result.error = stat_one(*abilities_, AT_FDCWD, path.c_str(),
                                follow ? 0 : AT_SYMLINK_NOFOLLOW, mask, result.attributes);
        context.beat();
        return result;
    }

    [[nodiscard]] bool has_mounts_below(const std::string& path) const override {
        return mounted_below(path);
    }

    [[nodiscard]] std::size_t descriptor_budget() const override {
        return budget_ != 0 ? budget_ : budget_left_by_rlimit();
    }

   private:
    std::shared_ptr<Abilities> abilities_;
    std::size_t budget_;
};

}  // namespace

std::shared_ptr<FileSystem> make_posix_file_system(const PosixOptions& options) {
    return std::make_shared<PosixFileSystem>(options);
}

}  // namespace filetree
