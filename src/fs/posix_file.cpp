#include "posix_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "from_stat.hpp"
#include "unique_fd.hpp"

namespace filetree {
namespace {

// 0, or why it is not to be read.
int check_type(const struct stat& status) {
    if (S_ISREG(status.st_mode)) return 0;
    if (S_ISCHR(status.st_mode) && calls::is_null_device(status.st_rdev)) return 0;
    return S_ISDIR(status.st_mode) ? EISDIR : EINVAL;
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
        return calls::next_data(fd_.get(), offset);
    }

    std::vector<Extent> shared_extents(bool sync) override {
        if (!storage_.shares_extents) return {};
        const StatResult now = attributes();
        if (now.error != 0) return {};
        return calls::shared_extents(fd_.get(), now.attributes.size, sync);
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
    const StorageFacts facts = calls::storage_facts(fd);
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
