#include "filetree/repair.hpp"

#include <grp.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <utility>

#include "repair_sink.hpp"

namespace filetree {
namespace {

using repair::ProtectedDirectories;

// A file system whose top has been opened already: what has been checked is what is walked.
class OpenedTop final : public FileSystem {
   public:
    OpenedTop(std::shared_ptr<FileSystem> inner, std::string top, std::shared_ptr<Directory> opened)
        : inner_(std::move(inner)), top_(std::move(top)), opened_(std::move(opened)) {}

    Result<std::shared_ptr<Directory>> open(const std::string& path, CallContext& context,
                                            bool follow) override {
        if (path == top_) return {opened_, 0};
        return inner_->open(path, context, follow);
    }
    StatResult attributes(const std::string& path, bool follow, StatMask mask,
                          CallContext& context) override {
        return inner_->attributes(path, follow, mask, context);
    }
    [[nodiscard]] bool has_mounts_below(const std::string& path) const override {
        return inner_->has_mounts_below(path);
    }
    // Every worker may hold one entry more.
    [[nodiscard]] std::size_t descriptor_budget() const override {
        return inner_->descriptor_budget() * 3 / 4;
    }

   private:
    const std::shared_ptr<FileSystem> inner_;
    const std::string top_;
    const std::shared_ptr<Directory> opened_;
};

void check_groups(const std::vector<std::uint32_t>& gids) {
    for (const std::uint32_t gid : gids) {
        if (!group_exists(gid)) {
            throw std::invalid_argument("change_gids: there is no group " + std::to_string(gid));
        }
    }
}

std::shared_ptr<Directory> open_top(FileSystem& fs, const std::string& top,
                                    const ProtectedDirectories& places, bool dry_run,
                                    CallContext& context) {
    const std::string_view place = ProtectedDirectories::holding(repair::resolved(top));
    if (!place.empty()) throw ProtectedPath(top, std::string(place));
    auto opened = fs.open(top, context);
    if (!opened.ok()) throw SystemError(opened.error, top);
    // The path may lead elsewhere by now, and the directory may be mounted in several places.
    const auto holding = places.holding(*opened.value, context);
    if (!holding.ok() && !dry_run) throw SystemError(holding.error, top);
    if (holding.ok() && !holding.value.empty()) {
        throw ProtectedPath(top, std::string(holding.value));
    }
    return std::move(opened.value);
}

}  // namespace

Repair::Repair(std::shared_ptr<FileSystem> fs, const std::string& top,
               const RepairOptions& options) {
    repair::require_pinning(top);
    const std::atomic<bool> never{false};
    CallContext context(never);
    ProtectedDirectories places(*fs, context);
    auto opened = open_top(*fs, top, places, options.dry_run, context);
    if (!options.dry_run && ::geteuid() != 0)
        throw SystemError(EPERM, top, "only root can make changes");
    check_groups(options.change_gids);

    std::string real_top = opened->path();
    if (real_top.empty()) real_top = repair::resolved(top);
    plan_ = std::make_shared<repair::Plan>(options, top, std::move(real_top), std::move(places),
                                           records_);
    WalkOptions walk = options.walk;
    walk.attributes = true;
    walk.verify_directories = true;
    walk_ = std::make_unique<Walk>(
        std::make_shared<OpenedTop>(std::move(fs), top, std::move(opened)), top, walk,
        [plan = plan_] { return std::make_unique<repair::RepairSink>(plan); });
}

Repair::~Repair() { close(); }

bool Repair::wait(std::chrono::nanoseconds timeout) {
    if (!walk_->wait_finished(timeout)) return false;
    if (const std::exception_ptr failure = walk_->failure()) std::rethrow_exception(failure);
    const int started = walk_->wait_started(std::chrono::nanoseconds(0)).value_or(0);
    if (started != 0) throw SystemError(started, walk_->top());
    return true;
}

void Repair::close() noexcept {
    if (!walk_->in_own_process()) return;
    walk_->close();
    if (plan_->journal) plan_->journal->close();
}

WalkProgress Repair::progress() const { return walk_->progress(); }

std::vector<EntryError> Repair::errors() const {
    std::vector<EntryError> errors = walk_->errors();
    const std::lock_guard lock(records_->mutex);
    errors.insert(errors.end(), records_->errors.begin(), records_->errors.end());
    return errors;
}

bool group_exists(std::uint32_t gid) {
    std::vector<char> buffer(4096);
    group entry{};
    group* found = nullptr;
    for (;;) {
        const int error = ::getgrgid_r(gid, &entry, buffer.data(), buffer.size(), &found);
        if (error == 0) return found != nullptr;
        // Some databases say "no such group" with an error.
        if (error == ENOENT || error == ESRCH) return false;
        if (error != ERANGE && error != EINTR) throw SystemError(error, "the group database");
        if (error == ERANGE) buffer.resize(2 * buffer.size());
    }
}

}  // namespace filetree
