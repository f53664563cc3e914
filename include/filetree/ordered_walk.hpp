#pragma once

// os.walk: one directory at a time, in the order and with the content that Python's os.walk gives,
// while other threads list what comes next.
//
// A directory that was listed ahead is due at the moment when os.walk would have listed it. Then
// its identity and change times are compared with those taken before its listing; if anything
// differs, or the listing was made so soon after a change that another could bear the same time, it
// is listed again. So whoever consumes the walk may change the tree between two steps, and finds
// what a serial walk would have found. Symlinks are followed when their directory is due, never
// ahead. All calls are by path, as os.walk's are, and nothing stays open between two steps.
//
// Threads: an OrderedWalk is used by one thread at a time. A process forked while one is under way
// may go on with it; it then reads serially.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "filetree/fs.hpp"

namespace filetree {

struct OrderedWalkOptions {
    bool topdown = true;
    bool followlinks = false;
    bool ignore_snapshots = true;  // leave out directories named ".snapshot"

    // Cores that may be kept busy. 0: as WalkOptions::max_threads. 1: nothing is read ahead.
    unsigned max_threads = 0;
    unsigned max_inflight = 0;  // listings under way at once; 0: default_max_inflight

    // What may be listed ahead.
    std::size_t window_bytes = std::size_t{64} << 20U;
    std::size_t window_directories = 1024;
    // A listing counts only if its directory had not changed for so long when it was made: longer
    // than the coarsest timestamps (2 s, FAT's) and than clocks of file servers usually deviate.
    std::chrono::nanoseconds settling_time = std::chrono::seconds(3);

    // Top-down: look which children are symlinks when their parent has been handed over, as
    // CPython does since 3.12, and not when each is due.
    bool early_link_checks = false;
};

// What a walk asks of whoever consumes it. Every call comes from within OrderedWalk::next(), on the
// same thread; whatever is thrown ends the walk and leaves next().
class WalkCaller {
   public:
    WalkCaller() = default;
    WalkCaller(const WalkCaller&) = delete;
    WalkCaller& operator=(const WalkCaller&) = delete;

    // Top-down: the names to enter of the directory handed over last, whose listing was `names`;
    // nothing when they are as listed.
    virtual std::optional<std::vector<std::string>> edited(const Listing& names);
    // Top-down: makes `path` that of the index-th child to enter of the directory with `parent` as
    // its path, handed over `depth` levels below the top. False: there are no more. An empty path,
    // with early_link_checks: no system would take it, and refuse() is called when it is due.
    virtual bool child(std::size_t depth, std::size_t index, const std::string& parent,
                       std::string& path) = 0;
    // Throws, or has the child passed over.
    virtual void refuse(std::size_t /*depth*/, std::size_t /*index*/) {}
    // Runs `work`, which may block, without the locks that the caller holds.
    virtual void unlocked(const std::function<void()>& work) { work(); }
    // Called from within unlocked(), every 50 ms, while a listing is being waited for.
    virtual void waiting() {}

   protected:
    ~WalkCaller() = default;
};

class OrderedWalk {
   public:
    enum class Step : std::uint8_t { directory, failure, end };

    // What became of the directories handed over so far.
    struct Counts {
        std::uint64_t reused = 0;  // listed ahead, and still valid when due
        std::uint64_t reread = 0;  // listed ahead, and listed again when due
        std::uint64_t direct = 0;  // listed when due
        unsigned threads_peak = 0;
    };

    // Reads nothing yet. `caller` must outlive the walk.
    OrderedWalk(std::shared_ptr<FileSystem> fs, std::string top, const OrderedWalkOptions& options,
                WalkCaller& caller);
    // Stops reading ahead. A thread that hangs in a system call is left behind.
    ~OrderedWalk();
    OrderedWalk(const OrderedWalk&) = delete;
    OrderedWalk& operator=(const OrderedWalk&) = delete;

    // Goes on to the next directory, or to one that could not be listed. After the end, and after
    // an exception, always `end`.
    [[nodiscard]] Step next();

    // What next() came to; valid until it is called again.
    [[nodiscard]] const std::string& path() const noexcept;
    [[nodiscard]] int error() const noexcept;  // of a failure: an errno
    // In the order of the directory. EntryType::directory also stands for symlinks to directories.
    [[nodiscard]] const Listing& names() const noexcept;
    [[nodiscard]] std::size_t depth() const noexcept;        // 0: the top
    [[nodiscard]] std::size_t child_index() const noexcept;  // as child() was asked for it

    [[nodiscard]] Counts counts() const;
    // Waits until nothing more can be read ahead. False: not in time.
    [[nodiscard]] bool wait_idle(std::chrono::nanoseconds timeout);

   private:
    class State;
    std::unique_ptr<State> state_;
};

// Makes `out` what os.path.join(parent, name) is.
void join_path(std::string& out, std::string_view parent, std::string_view name);

}  // namespace filetree
