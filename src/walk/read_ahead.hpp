#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "filetree/fs.hpp"
#include "filetree/walk.hpp"
#include "listed_directory.hpp"
#include "reading_order.hpp"

namespace filetree::walk {

// Lists directories before whoever walks (the consumer) comes to them, in the order in which it
// will. A hint machine: it never decides what a walk finds. The consumer claims a directory when it
// is due, checks what was listed ahead, and has it listed on the spot when that does not hold.
//
// What is to be read next is ReadingOrder's to say; this adds the threads and the waiting.
//
// Readers are threads that come when there is work and leave when there has been none for a while.
// How many is the Governor's to say. While listings come quickly, the consumer reads what it needs
// at once by itself, and where it would have to wait it helps the readers; but not in a tree with
// mounts in it, where it might hang in one that its caller would never enter. While listings are
// slow, it leaves them to the readers, so that it can be interrupted while it waits.
//
// Threads: the consumer's calls come from one thread at a time. One mutex guards all state; it is
// never held during a call to the file system.
class ReadAhead {
   public:
    struct Options {
        std::string top;
        unsigned cores = 1;  // 1: nothing is read ahead
        unsigned ceiling = default_max_inflight;
        std::size_t window_bytes = 0;
        std::size_t window_directories = 0;
        bool followlinks = false;
        ListingRules rules;
        // A listing that takes longer than this and its names explain has been waiting for storage.
        std::chrono::nanoseconds quick_call{200'000};
    };

    using Node = ReadingOrder::Node;
    using NodePtr = ReadingOrder::NodePtr;
    // Called every 50 ms while the consumer waits. What it throws is passed on.
    using Waiting = std::function<void()>;

    struct Claim {
        NodePtr node;
        bool listed = false;  // ahead; else read() is to be called
    };

    ReadAhead(std::shared_ptr<FileSystem> fs, const Options& options);
    // Stops the readers, and waits for them; one that stays in a system call is left behind.
    ~ReadAhead();
    ReadAhead(const ReadAhead&) = delete;
    ReadAhead& operator=(const ReadAhead&) = delete;

    // The directory at `path` is due; `parent` is null for the top. What readers have taken before
    // it in the parent has been passed over, and is forgotten.
    [[nodiscard]] Claim claim(const NodePtr& parent, const std::string& path,
                              const Waiting& waiting);
    // What was listed of a claimed node.
    [[nodiscard]] static ListedDirectory& listed(Node& node) noexcept;
    // Lists a claimed node now, in place of what was listed before. Unless `follow`, a symlink is
    // an error: ENOTDIR or ELOOP.
    void read(const NodePtr& node, bool follow, const Waiting& waiting);
    // After read(): `children`, indices of `names`, are what may be read ahead.
    void expect(const NodePtr& node, const Listing& names,
                const std::vector<std::uint32_t>& children);
    // The children will be entered in this order, and those not named will not.
    void reorder(const NodePtr& node, const std::vector<std::string>& names);
    // The consumer has passed the node: whatever is left below it is forgotten.
    void release(const NodePtr& node);

    [[nodiscard]] unsigned threads_peak() const;
    [[nodiscard]] bool wait_idle(std::chrono::nanoseconds timeout);

    class State;

   private:
    std::shared_ptr<State> state_;
};

}  // namespace filetree::walk
