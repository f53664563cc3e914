#include "filetree/faulty_fs.hpp"

#include <algorithm>
#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace filetree {

struct FaultyFileSystem::State {
    State(std::shared_ptr<FileSystem> inner_, FaultPolicy policy_)
        : inner(std::move(inner_)), policy(std::move(policy_)) {}

    // Carries out what the policy says; returns the errno to answer, or 0 to go on.
    int meet(Operation operation, std::string_view path) {
        const Fault fault = policy({operation, path});
        if (fault.delay.count() > 0) std::this_thread::sleep_for(fault.delay);
        if (fault.hang) {
            std::unique_lock lock(mutex);
            released_or_not.wait(lock, [this] { return released; });
        }
        return fault.error;
    }

    void opened() {
        const std::size_t now = ++open_now;
        std::size_t most = open_most.load();
        while (now > most && !open_most.compare_exchange_weak(most, now)) {
        }
    }

    std::shared_ptr<FileSystem> inner;
    FaultPolicy policy;
    std::atomic<std::size_t> budget{0};  // 0: the inner file system's
    std::atomic<std::size_t> open_now{0};
    std::atomic<std::size_t> open_most{0};
    std::mutex mutex;
    std::condition_variable released_or_not;
    bool released = false;
};

namespace {

// What fails of an Entry and of a Directory alike; `Inner` is what holds the real one.
template <class Base, class Inner>
class Faulty : public Base {
   public:
    Faulty(std::shared_ptr<FaultyFileSystem::State> state, Inner inner, std::string path)
        : state_(std::move(state)), inner_(std::move(inner)), path_(std::move(path)) {}

    StatResult attributes(CallContext& context) override { return inner_->attributes(context); }

    Result<bool> has_extended_attribute(const char* name, CallContext& context) override {
        return inner_->has_extended_attribute(name, context);
    }

    int set_group(std::uint32_t gid, CallContext& context) override {
        const int error = state_->meet(Operation::chown, path_);
        return error != 0 ? error : inner_->set_group(gid, context);
    }

    int set_mode(std::uint32_t mode, CallContext& context) override {
        const int error = state_->meet(Operation::chmod, path_);
        return error != 0 ? error : inner_->set_mode(mode, context);
    }

   protected:
    const std::shared_ptr<FaultyFileSystem::State> state_;
    const Inner inner_;
    const std::string path_;
};

using FaultyEntry = Faulty<Entry, std::unique_ptr<Entry>>;

class FaultyDirectory final : public Faulty<Directory, std::shared_ptr<Directory>> {
   public:
    FaultyDirectory(std::shared_ptr<FaultyFileSystem::State> state,
                    std::shared_ptr<Directory> inner, std::string path)
        : Faulty(std::move(state), std::move(inner), std::move(path)) {
        state_->opened();
    }
    ~FaultyDirectory() override { --state_->open_now; }

    Result<bool> read(Listing& out, CallContext& context) override {
        const int error = state_->meet(Operation::read, path_);
        context.beat();
        if (error != 0) return Result<bool>::failure(error);
        return inner_->read(out, context);
    }

    std::size_t stat(const Listing& names, std::size_t first, std::size_t last, StatMask mask,
                     StatResult* out, CallContext& context) override {
        for (std::size_t i = first; i < last; ++i, ++out) {
            if (context.stop_requested()) return i - first;
            context.at(i);
            out->error = state_->meet(Operation::stat, child(names.name(i)));
            context.beat();
            if (out->error == 0 && inner_->stat(names, i, i + 1, mask, out, context) == 0) {
                return i - first;
            }
        }
        return last - first;
    }

    Result<std::shared_ptr<Directory>> open(const char* name, CallContext& context) override {
        std::string path = child(name);
        const int error = state_->meet(Operation::open, path);
        context.beat();
        if (error != 0) return Result<std::shared_ptr<Directory>>::failure(error);
        auto opened = inner_->open(name, context);
        if (!opened.ok()) return opened;
        return {std::make_shared<FaultyDirectory>(state_, std::move(opened.value), std::move(path)),
                0};
    }

    [[nodiscard]] std::string path() const override { return inner_->path(); }

    Result<std::unique_ptr<Entry>> pin(const char* name, CallContext& context) override {
        std::string path = child(name);
        const int error = state_->meet(Operation::open, path);
        if (error != 0) return Result<std::unique_ptr<Entry>>::failure(error);
        auto pinned = inner_->pin(name, context);
        if (!pinned.ok()) return pinned;
        return {std::make_unique<FaultyEntry>(state_, std::move(pinned.value), std::move(path)), 0};
    }

    bool dates_changes(const Attributes& attributes, CallContext& context) override {
        return inner_->dates_changes(attributes, context);
    }

   private:
    [[nodiscard]] std::string child(std::string_view name) const {
        return path_ + '/' + std::string(name);
    }
};

}  // namespace

FaultyFileSystem::FaultyFileSystem(std::shared_ptr<FileSystem> inner, FaultPolicy policy)
    : state_(std::make_shared<State>(std::move(inner), std::move(policy))) {}

FaultyFileSystem::~FaultyFileSystem() = default;

Result<std::shared_ptr<Directory>> FaultyFileSystem::open(const std::string& path,
                                                          CallContext& context, bool follow) {
    const int error = state_->meet(Operation::open, path);
    context.beat();
    if (error != 0) return Result<std::shared_ptr<Directory>>::failure(error);
    auto opened = state_->inner->open(path, context, follow);
    if (!opened.ok()) return opened;
    return {std::make_shared<FaultyDirectory>(state_, std::move(opened.value), path), 0};
}

StatResult FaultyFileSystem::attributes(const std::string& path, bool follow, StatMask mask,
                                        CallContext& context) {
    const int error = state_->meet(Operation::stat, path);
    context.beat();
    if (error != 0) return {{}, error};
    return state_->inner->attributes(path, follow, mask, context);
}

bool FaultyFileSystem::has_mounts_below(const std::string& path) const {
    return state_->inner->has_mounts_below(path);
}

std::size_t FaultyFileSystem::descriptor_budget() const {
    const std::size_t budget = state_->budget.load();
    return budget != 0 ? budget : state_->inner->descriptor_budget();
}

void FaultyFileSystem::release() {
    const std::lock_guard lock(state_->mutex);
    state_->released = true;
    state_->released_or_not.notify_all();
}

std::size_t FaultyFileSystem::open_directories() const { return state_->open_now.load(); }
std::size_t FaultyFileSystem::most_open_directories() const { return state_->open_most.load(); }
void FaultyFileSystem::set_descriptor_budget(std::size_t budget) { state_->budget = budget; }

}  // namespace filetree
