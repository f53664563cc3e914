#include "engine.hpp"

namespace filetree::walk {
namespace {

constexpr unsigned stalls_to_give_up_a_device = 4;

}  // namespace

void StalledDevices::add(std::uint64_t device) {
    const std::lock_guard lock(mutex_);
    ++stalls_[device];
    any_.store(true, std::memory_order_relaxed);
}

void StalledDevices::clear(std::uint64_t device) {
    const std::lock_guard lock(mutex_);
    stalls_.erase(device);
}

bool StalledDevices::given_up(std::uint64_t device) const {
    const std::lock_guard lock(mutex_);
    const auto found = stalls_.find(device);
    return found != stalls_.end() && found->second >= stalls_to_give_up_a_device;
}

void ErrorList::add(EntryError error) {
    const std::lock_guard lock(mutex_);
    errors_.push_back(std::move(error));
    count_.store(errors_.size(), std::memory_order_relaxed);
}

std::vector<EntryError> ErrorList::copy() const {
    const std::lock_guard lock(mutex_);
    return errors_;
}

Engine::Engine(std::shared_ptr<FileSystem> fs_, std::string top_, WalkOptions options_,
               SinkFactory sinks, unsigned cores, std::size_t kept_directories,
               std::string begin_at_)
    : fs(std::move(fs_)),
      top(std::move(top_)),
      options(std::move(options_)),
      make_sink(std::move(sinks)),
      selection(options, top),
      begin_at(std::move(begin_at_)),
      handles(fs, kept_directories),
      stack(cores) {
    stack.add({.node = NodePtr(new Node({}, top, {}, selection.excluded()))});
}

void Engine::fail(std::exception_ptr exception) noexcept {
    {
        const std::lock_guard lock(failure_mutex);
        if (!failure) failure = std::move(exception);
    }
    stop();
}

bool Engine::set_started(int error) {
    int not_yet = -1;
    if (!started.compare_exchange_strong(not_yet, error)) return false;
    if (on_started) on_started();
    return true;
}

void Engine::stop() noexcept {
    // First, because from then on nodes go away without having been released.
    handles.stop();
    stopping.store(true, std::memory_order_relaxed);
    stack.stop();
}

}  // namespace filetree::walk
