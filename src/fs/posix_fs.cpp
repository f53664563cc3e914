#include "filetree/posix_fs.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <utility>

#include "calls.hpp"
#include "posix_file.hpp"
#include "read_link.hpp"
#include "unique_fd.hpp"

namespace filetree {
namespace {

// Left to the rest of the process: output files, pipes, libraries.
constexpr std::size_t reserved_descriptors = 16;
constexpr std::size_t smallest_budget = 8;
constexpr std::size_t largest_budget = 16384;

std::size_t budget_left_by_rlimit() {
    rlimit limit{};
    if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return smallest_budget;
    const std::size_t allowed = std::min<rlim_t>(limit.rlim_cur, 4 * largest_budget);
    const std::size_t taken = calls::open_descriptors() + reserved_descriptors;
    return std::clamp(allowed > taken ? allowed - taken : 0, smallest_budget, largest_budget);
}

// What one PosixFileSystem has learned; shared by its directories.
struct Learned {
    explicit Learned(const PosixOptions& options) : abilities(options.cached_attributes) {}

    calls::Abilities abilities;
    // The last device that was seen to date its changes. No device has the number 0.
    std::atomic<std::uint64_t> dating_device{0};
};

// What can be done through a descriptor of any kind, as an Entry or as a Directory.
template <class Base, class Descriptor>
class Held : public Base {
   public:
    Held(UniqueFd fd, std::shared_ptr<Learned> learned)
        : fd_(std::move(fd)), learned_(std::move(learned)) {}

    StatResult attributes(CallContext& context) override {
        StatResult result;
        result.error = calls::stat_descriptor(learned_->abilities, fd_.get(), result.attributes);
        context.beat();
        return result;
    }

    Result<bool> has_extended_attribute(const char* name, CallContext& context) override {
        const Result<bool> result = calls::has_attribute(fd_.get(), name);
        context.beat();
        return result;
    }

    int set_group(std::uint32_t gid, CallContext& context) override {
        const int error = calls::change_group(fd_.get(), gid);
        context.beat();
        return error;
    }

    int set_mode(std::uint32_t mode, CallContext& context) override {
        const int error = calls::change_mode(learned_->abilities, fd_.get(), mode);
        context.beat();
        return error;
    }

   protected:
    Descriptor fd_;
    const std::shared_ptr<Learned> learned_;
};

class PosixDirectory final : public Held<Directory, calls::DirectoryFd> {
   public:
    using Held::Held;

    Result<bool> read(Listing& out, CallContext& context) override {
        Result<bool> more = fd_.read(out, context.scratch());
        context.beat();
        return more;
    }

    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask mask,
                     StatResult* out, CallContext& context) override {
        for (std::size_t i = first; i < last; ++i, ++out) {
            if (context.stop_requested()) return i - first;
            context.at(i);
            out->error = calls::stat_at(learned_->abilities, fd_.get(), names.c_str(i), false, mask,
                                        out->attributes);
            context.beat();
        }
        return last - first;
    }

    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        return open_within(name, false, context);
    }

    Result<std::shared_ptr<Directory>> open_target(const char* name,
                                                   CallContext& context) override {
        return open_within(name, true, context);
    }

    Result<std::shared_ptr<File>> open_file(const char* name, bool follow,
                                            CallContext& context) override {
        auto opened = open_posix_file_at(fd_.get(), name, follow, storage_);
        context.beat();
        return opened;
    }

    StatResult attributes_of(const char* name, bool follow, CallContext& context) override {
        StatResult result;
        result.error = calls::stat_at(learned_->abilities, fd_.get(), name, follow, StatMask::type,
                                      result.attributes);
        context.beat();
        return result;
    }

    Result<std::string> read_link(const char* name, CallContext& context) override {
        auto text = read_link_at(fd_.get(), name);
        context.beat();
        return text;
    }

    [[nodiscard]] std::string path() const override { return calls::path_of(fd_.get()); }

    Result<std::unique_ptr<Entry>> pin(const char* name, CallContext& context) override {
        auto pinned = calls::pin(fd_.get(), name);
        context.beat();
        if (!pinned.ok()) return Result<std::unique_ptr<Entry>>::failure(pinned.error);
        return {std::make_unique<Held<Entry, UniqueFd>>(std::move(pinned.value), learned_), 0};
    }

    bool dates_changes(const Attributes& attributes, CallContext& context) override {
        std::atomic<std::uint64_t>& known = learned_->dating_device;
        if (attributes.device == known.load(std::memory_order_relaxed)) return true;
        const bool dates = calls::dates_changes(fd_.get());
        context.beat();
        if (dates) known.store(attributes.device, std::memory_order_relaxed);
        return dates;
    }

   private:
    Result<std::shared_ptr<Directory>> open_within(const char* name, bool follow,
                                                   CallContext& context) {
        auto opened = calls::open_directory(learned_->abilities, fd_.get(), name, follow);
        context.beat();
        if (!opened.ok()) return Result<std::shared_ptr<Directory>>::failure(opened.error);
        return {std::make_shared<PosixDirectory>(std::move(opened.value), learned_), 0};
    }

    StorageMemory storage_;
};

class PosixFileSystem final : public FileSystem {
   public:
    explicit PosixFileSystem(const PosixOptions& options)
        : learned_(std::make_shared<Learned>(options)), budget_(options.descriptor_budget) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool follow) override {
        auto opened = calls::open_directory(learned_->abilities, AT_FDCWD, path.c_str(), follow);
        context.beat();
        if (!opened.ok()) return Result<std::shared_ptr<Directory>>::failure(opened.error);
        return {std::make_shared<PosixDirectory>(std::move(opened.value), learned_), 0};
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
        result.error = calls::stat_at(learned_->abilities, AT_FDCWD, path.c_str(), follow, mask,
                                      result.attributes);
        context.beat();
        return result;
    }

    [[nodiscard]] bool has_mounts_below(const std::string& path) const override {
        return calls::has_mounts_below(path);
    }

    [[nodiscard]] std::size_t descriptor_budget() const override {
        return budget_ != 0 ? budget_ : budget_left_by_rlimit();
    }

   private:
    std::shared_ptr<Learned> learned_;
    std::size_t budget_;
};

}  // namespace

std::shared_ptr<FileSystem> make_posix_file_system(const PosixOptions& options) {
    return std::make_shared<PosixFileSystem>(options);
}

}  // namespace filetree
