#include "../calls.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <string_view>

#include "../from_stat.hpp"

namespace filetree::calls {
namespace {

constexpr std::size_t most_names_at_once = 4096;

// A file system without any capacity is a view into the kernel. FUSE servers often do not tell
// theirs; of those too much is read rather than too little.
bool has_capacity(int fd, bool unless_told) {
    struct statvfs file_system {};
    return ::fstatvfs(fd, &file_system) == 0 ? file_system.f_blocks != 0 : unless_told;
}

}  // namespace

int stat_at(Abilities& /*abilities*/, int directory, const char* name, bool follow,
            StatMask /*mask*/, Attributes& out) noexcept {
    struct stat status {};
    if (::fstatat(directory, name, &status, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0) return errno;
    out = from_stat(status);
    return 0;
}

int stat_descriptor(Abilities& /*abilities*/, int fd, Attributes& out) noexcept {
    struct stat status {};
    if (::fstat(fd, &status) != 0) return errno;
    out = from_stat(status);
    return 0;
}

Result<UniqueFd> open_directory(Abilities& /*abilities*/, int at, const char* path, bool follow) {
    const int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NONBLOCK | (follow ? 0 : O_NOFOLLOW);
    if (UniqueFd fd{::openat(at, path, flags)}) return {std::move(fd), 0};
    return Result<UniqueFd>::failure(errno);
}

DirectoryFd::~DirectoryFd() {
    if (stream_ == nullptr) return;
    (void)fd_.release();
    ::closedir(stream_);
}

Result<bool> DirectoryFd::read(Listing& out, char* /*scratch*/) {
    if (stream_ == nullptr) stream_ = ::fdopendir(fd_.get());
    if (stream_ == nullptr) return Result<bool>::failure(errno);
    for (std::size_t i = 0; i < most_names_at_once; ++i) {
        errno = 0;
        const dirent* const entry = ::readdir(stream_);
        if (entry == nullptr && errno != 0) return Result<bool>::failure(errno);
        if (entry == nullptr) return {i > 0, 0};
        const std::string_view name = entry->d_name;
        if (name != "." && name != "..") out.add(name, static_cast<EntryType>(entry->d_type));
    }
    return {true, 0};
}

Result<UniqueFd> pin(int /*directory*/, const char* /*name*/) {
    return Result<UniqueFd>::failure(EOPNOTSUPP);
}

Result<bool> has_attribute(int /*fd*/, const char* /*name*/) {
    return Result<bool>::failure(EOPNOTSUPP);
}

int change_group(int fd, std::uint32_t gid) noexcept {
    constexpr auto same_owner = static_cast<uid_t>(-1);
    return ::fchown(fd, same_owner, gid) == 0 ? 0 : errno;
}

int change_mode(Abilities& /*abilities*/, int fd, std::uint32_t mode) noexcept {
    return ::fchmod(fd, static_cast<mode_t>(mode)) == 0 ? 0 : errno;
}

std::string path_of([[maybe_unused]] int fd) {
#ifdef F_GETPATH
    std::array<char, PATH_MAX> path{};
    if (::fcntl(fd, F_GETPATH, path.data()) == 0) return path.data();
#endif
    return {};
}

StorageFacts storage_facts(int fd) { return {has_capacity(fd, true), false}; }

bool dates_changes(int directory) { return has_capacity(directory, false); }

// APFS has taken data for holes: SEEK_DATA is not asked.
std::optional<std::uint64_t> next_data(int /*fd*/, std::uint64_t offset) { return offset; }

std::vector<Extent> shared_extents(int /*fd*/, std::uint64_t /*size*/, bool /*sync*/) { return {}; }

bool is_null_device(dev_t device) {
    struct stat null {};
    return ::stat("/dev/null", &null) == 0 && S_ISCHR(null.st_mode) && null.st_rdev == device;
}

bool has_mounts_below(const std::string& /*path*/) { return true; }  // that cannot be told

std::size_t open_descriptors() {
    std::size_t count = 0;
    if (DIR* listing = ::opendir("/dev/fd")) {
        while (::readdir(listing) != nullptr) ++count;
        ::closedir(listing);
    }
    return count;
}

}  // namespace filetree::calls
