#include "posix_file.hpp"

#include <fcntl.h>
#include <linux/fiemap.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "from_stat.hpp"
#include "unique_fd.hpp"

namespace filetree {
namespace {

bool is_null_device(const struct stat& status) {
    return S_ISCHR(status.st_mode) && status.st_rdev == makedev(1, 3);
}

// 0, or why it is not to be read.
int check_type(const struct stat& status) {
    if (S_ISREG(status.st_mode) || is_null_device(status)) return 0;
    return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
}

// A file system without any capacity is a view into the kernel. FUSE servers often do not tell
// theirs. Of those that are known to share no extents none need be asked.
StorageFacts storage_facts(int fd) {
    struct statfs file_system {};
    if (::fstatfs(fd, &file_system) != 0) return {true, true};
    const auto type = file_system.f_type;
    const bool kernel_view =
        file_system.f_blocks == 0 && type != FUSE_SUPER_MAGIC && type != TMPFS_MAGIC;
    const bool shares = type != EXT4_SUPER_MAGIC && type != TMPFS_MAGIC && type != NFS_SUPER_MAGIC;
    return {!kernel_view, shares};
}

// All extents, if every one of them is shared and lies where it says. Empty: not so.
std::vector<Extent> shared_extents(int fd, std::uint64_t size, std::uint32_t flags) {
    constexpr std::uint32_t batch = 128;
    constexpr std::uint32_t doubtful = FIEMAP_EXTENT_UNKNOWN | FIEMAP_EXTENT_DELALLOC |
                                       FIEMAP_EXTENT_ENCODED | FIEMAP_EXTENT_DATA_ENCRYPTED |
                                       FIEMAP_EXTENT_NOT_ALIGNED | FIEMAP_EXTENT_DATA_INLINE |
                                       FIEMAP_EXTENT_DATA_TAIL;
    std::vector<char> buffer(sizeof(fiemap) + batch * sizeof(fiemap_extent));
    std::vector<Extent> extents;
    std::uint64_t at = 0;
    while (at < size) {
        std::memset(buffer.data(), 0, sizeof(fiemap));
        auto* map = reinterpret_cast<fiemap*>(buffer.data());
        map->fm_start = at;
        map->fm_length = FIEMAP_MAX_OFFSET - at;
        map->fm_flags = flags;
        map->fm_extent_count = batch;
        if (::ioctl(fd, FS_IOC_FIEMAP, map) != 0) return {};
        if (map->fm_mapped_extents == 0) break;  // a hole to the end
        for (std::uint32_t i = 0; i < map->fm_mapped_extents; ++i) {
            const fiemap_extent& extent = map->fm_extents[i];
            if ((extent.fe_flags & doubtful) != 0 ||
                (extent.fe_flags & FIEMAP_EXTENT_SHARED) == 0) {
                return {};
            }
            extents.push_back({extent.fe_logical, extent.fe_physical, extent.fe_length});
            at = extent.fe_logical + extent.fe_length;
            if ((extent.fe_flags & FIEMAP_EXTENT_LAST) != 0) return extents;
        }
    }
    return extents;
}

class PosixFile final : public File {
   public:
    PosixFile(UniqueFd fd, const Attributes& opened, StorageFacts storage)
        : fd_(std::move(fd)), opened_(opened), storage_(storage) {}

    StatResult attributes() override {
        struct stat status {};
        if (::fstat(fd_.get(), &status) != 0) return {{}, errno};
        return {from_stat(status), 0};
    }

    StatResult opened_attributes() override { return {opened_, 0}; }

    bool has_true_size() override { return storage_.true_sizes; }

    Result<std::size_t> read_at(std::uint64_t offset, std::span<char> out) override {
        std::size_t done = 0;
        while (done < out.size()) {
            const ssize_t got = ::pread(fd_.get(), out.data() + done, out.size() - done,
                                        static_cast<off_t>(offset + done));
            if (got < 0 && errno == EINTR) continue;
            if (got < 0) return Result<std::size_t>::failure(errno);
            if (got == 0) break;
            done += static_cast<std::size_t>(got);
        }
        return {done, 0};
    }

    std::optional<std::uint64_t> next_data(std::uint64_t offset) override {
        const off_t found = ::lseek(fd_.get(), static_cast<off_t>(offset), SEEK_DATA);
        if (found >= 0) return static_cast<std::uint64_t>(found);
        if (errno == ENXIO) return std::nullopt;
        return offset;
    }

    std::vector<Extent> shared_extents(bool sync) override {
        if (!storage_.shares_extents) return {};
        const StatResult now = attributes();
        if (now.error != 0) return {};
        return filetree::shared_extents(fd_.get(), now.attributes.size,
                                        sync ? FIEMAP_FLAG_SYNC : 0);
    }

   private:
    const UniqueFd fd_;
    const Attributes opened_;
    const StorageFacts storage_;
};

}  // namespace

StorageFacts StorageMemory::of(int fd, std::uint64_t device) {
    constexpr std::uint64_t true_sizes = 1;
    constexpr std::uint64_t shares_extents = 2;
    const std::uint64_t packed = packed_.load(std::memory_order_relaxed);
    if (packed >> 2U == device && device != 0) {
        return {(packed & true_sizes) != 0, (packed & shares_extents) != 0};
    }
    const StorageFacts facts = storage_facts(fd);
    packed_.store(device << 2U | (facts.shares_extents ? shares_extents : 0) |
                      (facts.true_sizes ? true_sizes : 0),
                  std::memory_order_relaxed);
    return facts;
}

Result<std::shared_ptr<File>> open_posix_file(const char* path) {
    using Opened = Result<std::shared_ptr<File>>;
    struct stat status {};
    if (::stat(path, &status) != 0) return Opened::failure(errno);
    if (const int error = check_type(status)) return Opened::failure(error);
    StorageMemory none;
    return open_posix_file_at(AT_FDCWD, path, true, none);
}

// Should it have become a FIFO meanwhile, the open does not wait for it.
Result<std::shared_ptr<File>> open_posix_file_at(int directory, const char* name, bool follow,
                                                 StorageMemory& memory) {
    using Opened = Result<std::shared_ptr<File>>;
    constexpr int flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
    struct stat status {};
    UniqueFd fd(::openat(directory, name, follow ? flags : flags | O_NOFOLLOW));
    if (!fd || ::fstat(fd.get(), &status) != 0) return Opened::failure(errno);
    if (const int error = check_type(status)) return Opened::failure(error);
    const StorageFacts storage = memory.of(fd.get(), status.st_dev);
    return {std::make_shared<PosixFile>(std::move(fd), from_stat(status), storage), 0};
}

}  // namespace filetree
