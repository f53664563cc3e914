#pragma once

#include <mutex>

#include "node.hpp"

namespace filetree::walk {

// Keeps directories open for their children within a descriptor budget, and reopens those it had
// to close, component by component from the nearest ancestor that is still open.
//
// Invariants: at most `capacity` kept directories are evictable or streaming, and the top is kept
// besides, until keep_nothing(); the oldest evictable one is closed first, because work goes
// last-in-first-out and comes back to it last. A streaming directory (its listing is not yet read
// to the end) is never closed, because its position would be lost.
//
// Threads: every call is safe from any thread. Directories are opened and closed outside the lock.
class HandleCache {
   public:
    HandleCache(std::shared_ptr<FileSystem> fs, std::size_t capacity)
        : fs_(std::move(fs)), capacity_(capacity) {}

    // The open directory of `node`. ENOENT when another directory has taken its place.
    [[nodiscard]] Result<std::shared_ptr<Directory>> acquire(Node& node, CallContext& context);

    // Keeps `node` open until release(), or until the budget closes it when not streaming. A node
    // that is kept already changes to evictable when its stream has ended.
    void keep(Node& node, std::shared_ptr<Directory> handle, bool streaming);
    // `node` is needed no more.
    void release(Node& node);
    // Closes everything evictable.
    void shed();
    // From now on nothing is kept that could be opened again, the top included.
    void keep_nothing();
    // Closes everything evictable, and keeps nothing from now on: nodes may go without release().
    void stop() noexcept;

    // Whether another directory may be kept with its listing half-read.
    [[nodiscard]] bool has_room_for_stream() const;

   private:
    using Handle = std::shared_ptr<Directory>;

    [[nodiscard]] Handle kept(Node& node);
    [[nodiscard]] Result<Handle> reopen(Node& node, CallContext& context);
    // All with the lock held.
    void link_newest(Node& node);
    void unlink(Node& node);
    [[nodiscard]] Handle evict_oldest();

    std::shared_ptr<FileSystem> fs_;
    mutable std::mutex mutex_;
    std::size_t capacity_;
    Node* top_ = nullptr;  // once it was kept, until its release
    Node* newest_ = nullptr;
    Node* oldest_ = nullptr;
    std::size_t evictable_ = 0;
    std::size_t streaming_ = 0;
    bool stopped_ = false;
};

}  // namespace filetree::walk
