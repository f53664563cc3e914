#include "handle_cache.hpp"

#include <cerrno>
#include <vector>

namespace filetree::walk {

Result<std::shared_ptr<Directory>> HandleCache::acquire(Node& node, CallContext& context) {
    if (Handle handle = kept(node)) return {std::move(handle), 0};
    auto reopened = reopen(node, context);
    if (reopened.ok()) keep(node, reopened.value, false);
    return reopened;
}

HandleCache::Handle HandleCache::kept(Node& node) {
    const std::lock_guard lock(mutex_);
    return node.handle_;
}

Result<HandleCache::Handle> HandleCache::reopen(Node& node, CallContext& context) {
    std::vector<Node*> closed;
    Handle handle;
    for (Node* at = &node; at != nullptr && !handle; at = at->parent().get()) {
        handle = kept(*at);
        if (!handle) closed.push_back(at);
    }
    while (!closed.empty()) {
        Node* next = closed.back();
        closed.pop_back();
        auto opened = !next->parent()  ? fs_->open(next->c_name(), context)
                      : next->followed ? handle->open_target(next->c_name(), context)
                                       : handle->open(next->c_name(), context);
        if (!opened.ok()) return opened;
        handle = std::move(opened.value);
    }
    // Names are not identities: what is called so now may be another directory.
    const StatResult now = handle->attributes(context);
    if (now.error != 0) return Result<Handle>::failure(now.error);
    const Attributes& expected = node.attributes();
    const bool other_inode = expected.inode != 0 && now.attributes.inode != expected.inode;
    const bool other_device = expected.device != 0 && now.attributes.device != expected.device;
    if (other_inode || other_device) return Result<Handle>::failure(ENOENT);
    return {std::move(handle), 0};
}

void HandleCache::keep(Node& node, Handle handle, bool streaming) {
    std::vector<Handle> closing;  // destroyed after the lock is gone
    const std::lock_guard lock(mutex_);
    if (stopped_ || node.holds.load(std::memory_order_acquire) == 0) {
        closing.push_back(std::move(handle));
        return;
    }
    if (!node.handle_) node.handle_ = std::move(handle);
    if (node.streaming_ != streaming) {
        node.streaming_ = streaming;
        streaming ? ++streaming_ : --streaming_;
    }
    if (!node.parent()) top_ = &node;
    const bool evictable = !streaming && (node.parent() || capacity_ == 0);
    if (evictable && !node.evictable_) link_newest(node);
    if (!evictable && node.evictable_) unlink(node);
    while (evictable_ > 0 && evictable_ + streaming_ > capacity_) {
        closing.push_back(evict_oldest());
    }
}

void HandleCache::release(Node& node) {
    Handle closing;  // destroyed after the lock is gone
    const std::lock_guard lock(mutex_);
    if (node.evictable_) unlink(node);
    if (node.streaming_) --streaming_;
    node.streaming_ = false;
    if (top_ == &node) top_ = nullptr;
    closing = std::move(node.handle_);
    node.handle_.reset();
}

void HandleCache::shed() {
    std::vector<Handle> closing;
    const std::lock_guard lock(mutex_);
    while (evictable_ > 0) closing.push_back(evict_oldest());
}

void HandleCache::keep_nothing() {
    std::vector<Handle> closing;
    const std::lock_guard lock(mutex_);
    capacity_ = 0;
    if (top_ != nullptr && !top_->evictable_ && !top_->streaming_) link_newest(*top_);
    while (evictable_ > 0) closing.push_back(evict_oldest());
}

void HandleCache::stop() noexcept {
    for (;;) {
        Handle closing;  // destroyed after the lock is gone
        const std::lock_guard lock(mutex_);
        stopped_ = true;
        top_ = nullptr;
        if (evictable_ == 0) return;
        closing = evict_oldest();
    }
}

bool HandleCache::has_room_for_stream() const {
    const std::lock_guard lock(mutex_);
    return streaming_ < capacity_ / 2;
}

void HandleCache::link_newest(Node& node) {
    node.older_ = newest_;
    node.newer_ = nullptr;
    (newest_ != nullptr ? newest_->newer_ : oldest_) = &node;
    newest_ = &node;
    node.evictable_ = true;
    ++evictable_;
}

void HandleCache::unlink(Node& node) {
    (node.newer_ != nullptr ? node.newer_->older_ : newest_) = node.older_;
    (node.older_ != nullptr ? node.older_->newer_ : oldest_) = node.newer_;
    node.newer_ = node.older_ = nullptr;
    node.evictable_ = false;
    --evictable_;
}

HandleCache::Handle HandleCache::evict_oldest() {
    Node& node = *oldest_;
    unlink(node);
    Handle handle = std::move(node.handle_);
    node.handle_.reset();
    return handle;
}

}  // namespace filetree::walk
