#pragma once

// The engine: one pass over a tree, in parallel, in no particular order.
//
// A Walk owns worker threads that list directories and stat entries, and hands what they find to
// EntrySinks, one for each worker. See ARCHITECTURE.md for the scheduling and the thread model.

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "filetree/fs.hpp"

namespace filetree {

// Operations under way at once, unless options say otherwise.
constexpr unsigned default_max_inflight = 128;

struct WalkOptions {
    // Cores that the workers may keep busy. 0: SLURM_CPUS_ON_NODE, else the affinity mask.
    unsigned max_threads = 0;
    // Operations under way at once, that is threads, however idle the cores are. 0:
    // default_max_inflight.
    unsigned max_inflight = 0;
    // A call that has not returned after this long is given up: ETIMEDOUT for its entry.
    std::chrono::nanoseconds stall_timeout = std::chrono::seconds(300);

    // False: names and types only, with no stat where the listing tells the type.
    bool attributes = true;

    // Look at each directory once more when it is open: ESTALE for what is not the one that was
    // found. Else a directory that is swapped for another at the right moment passes for
    // it; for a walk that only looks there is no harm in that.
    bool verify_directories = false;

    bool ignore_snapshots = true;      // leave out directories named ".snapshot"
    bool one_file_system = false;      // leave out entries of other mounts than the top's
    unsigned max_depth = 0;            // levels of directories below the top; 0: no limit
    std::vector<std::string> exclude;  // paths, matched whole, component by component
};

// The default of max_threads. At least 1.
[[nodiscard]] unsigned available_cores();

// A directory of the walk as sinks see it. Valid during the call that hands it over.
class WalkedDirectory {
   public:
    WalkedDirectory() = default;
    WalkedDirectory(const WalkedDirectory&) = delete;
    WalkedDirectory& operator=(const WalkedDirectory&) = delete;

    [[nodiscard]] virtual const Attributes& attributes() const noexcept = 0;
    // -1 for the top, 0 for its subdirectories.
    [[nodiscard]] virtual std::int32_t depth() const noexcept = 0;
    [[nodiscard]] virtual std::uint64_t parent_inode() const noexcept = 0;  // 0 for the top
    [[nodiscard]] virtual std::string_view name() const noexcept = 0;       // the top: as given
    // The directory that it was found in; null for the top.
    [[nodiscard]] virtual const WalkedDirectory* above() const noexcept = 0;
    // Appends the full path: the top as given, then "/" and a name for each level.
    virtual void append_path(std::string& out) const = 0;

   protected:
    ~WalkedDirectory() = default;
};

// What a finished directory came to.
struct DirectoryTotals {
    enum class State : std::uint8_t {
        complete,
        unreadable,       // could not be opened, or not be read to its end: totals mean nothing
        automount_point,  // not opened, because that would have mounted something
    };
    State state = State::complete;
    std::uint64_t file_count = 0;  // names listed, skipped ones included
    std::uint64_t size_sum = 0;    // bytes: st_size of every entry that could be statted
    bool opened = true;
};

// What a worker lends to its sink, for calls of the sink's own about what is handed over.
class SinkTools {
   public:
    SinkTools() = default;
    SinkTools(const SinkTools&) = delete;
    SinkTools& operator=(const SinkTools&) = delete;

    // During a call of the sink: the directory that is handed over, or whose entries are, as it was
    // opened. Null when that failed.
    [[nodiscard]] virtual Directory* open_directory() const noexcept = 0;
    [[nodiscard]] virtual CallContext& context() noexcept = 0;

   protected:
    ~SinkTools() = default;
};

// Receives what one worker finds; used by one thread at a time. Calls may block (a full queue):
// the engine does not mistake that for a hung file system.
class EntrySink {
   public:
    EntrySink() = default;
    EntrySink(const EntrySink&) = delete;
    EntrySink& operator=(const EntrySink&) = delete;
    virtual ~EntrySink() = default;

    // Called first, once. The tools are there as long as the sink is.
    virtual void lend(SinkTools& /*tools*/) {}
    // Entries of `parent` that are not directories: names[i] with stats[i - first], for every i in
    // `selected`. stats have no errors; without WalkOptions::attributes only mode's type is set.
    virtual void entries(const WalkedDirectory& parent, const Listing& names,
                         std::span<const std::uint32_t> selected, std::size_t first,
                         const StatResult* stats) = 0;
    // A directory whose own entries (not its subdirectories') have all been handed over, by this
    // or other sinks.
    virtual void directory(const WalkedDirectory& directory, const DirectoryTotals& totals) = 0;
    // Hands over whatever is buffered. The last call, and a call at each rest: then from a thread
    // of the walk's own.
    virtual void flush() = 0;
};

using SinkFactory = std::function<std::unique_ptr<EntrySink>()>;

// What the engine must know of whoever consumes its sinks' output on this machine, so that the core
// budget covers both. Written by the consumer's side, read by the engine.
struct ConsumerGauge {
    std::atomic<std::uint64_t> cpu_nanoseconds{0};  // used so far; ever growing
    std::atomic<std::uint32_t> waiting_sinks{0};    // blocked because the consumer is behind
};

// A moment of a walk. Counts are of entries selected, the top included.
struct WalkProgress {
    std::uint64_t directories = 0;
    // Indexed by EntryType.
    std::array<std::uint64_t, 16> kinds{};
    std::uint64_t bytes = 0;     // st_size summed
    std::uint64_t errors = 0;    // EntryErrors so far
    std::uint64_t vanished = 0;  // listed, and gone when looked at
    std::uint64_t automount_points = 0;
    unsigned threads = 0;       // threads the engine uses now
    unsigned threads_peak = 0;  // the most it has used
    std::uint64_t spilled = 0;  // bytes written to temporary files; only a report has any
    std::chrono::nanoseconds elapsed{0};
    std::string path;  // a directory being worked on

    [[nodiscard]] std::uint64_t entries() const noexcept;
};

// A moment at which every directory is either finished, its rows handed over by flushed sinks, or
// as good as not begun.
struct Rest {
    std::string frontier;  // the directories that are left, for WalkRests::begin_at
    WalkProgress progress;
    std::vector<EntryError> errors;  // all so far, in the order they were met
};

// Where a walk begins when it goes on with another, and when it is to rest.
struct WalkRests {
    // The frontier of an earlier walk with the same options; empty: begin with the top.
    std::string begin_at;
    // Asked a few times a second whether to rest; null: never. A walk that cannot come to rest in
    // time, because something is slow in the midst of a directory, goes on, and asks again.
    std::function<bool()> due;
    // Called at each rest, while nothing else happens. False: the walk ends here.
    std::function<bool(Rest)> at_rest;
};

class Walk {
   public:
    // Starts at once. `make_sink` is called once for each worker, on the worker's thread.
    // Throws std::invalid_argument when an option cannot be used.
    // `gauge` may be null. `rests` are called on threads of the walk.
    Walk(std::shared_ptr<FileSystem> fs, std::string top, const WalkOptions& options,
         SinkFactory make_sink, std::shared_ptr<const ConsumerGauge> gauge = nullptr,
         WalkRests rests = {});
    // Cancels, and waits for the workers; one that stays in a system call for a second is left
    // behind.
    ~Walk();
    Walk(const Walk&) = delete;
    Walk& operator=(const Walk&) = delete;

    // Waits until the top is open. Empty: not yet. Else 0, or the errno that ended the walk.
    [[nodiscard]] std::optional<int> wait_started(std::chrono::nanoseconds timeout);
    // Waits for the end: every sink flushed, nothing called any more. False: not yet.
    [[nodiscard]] bool wait_finished(std::chrono::nanoseconds timeout);
    // Called once, when the walk has ended, on one of its threads; at once if it already has.
    void on_finished(std::function<void()> callback);

    // Asks all work to stop; safe from any thread, any number of times.
    void cancel() noexcept;
    // Cancels, and waits as the destructor does. Idempotent; progress and errors stay readable.
    void close() noexcept;
    [[nodiscard]] bool cancelled() const noexcept;
    // False in a forked child: the threads are not there, and locks may be in any state. There,
    // nothing but the destructor and close() may be called, which leave everything as it is.
    [[nodiscard]] bool in_own_process() const noexcept;

    [[nodiscard]] WalkProgress progress() const;
    [[nodiscard]] const std::string& top() const noexcept;
    // All failures so far, in the order they were met.
    [[nodiscard]] std::vector<EntryError> errors() const;
    // The exception that ended the walk, if one did (out of memory, a sink that threw).
    [[nodiscard]] std::exception_ptr failure() const;

    class State;

   private:
    std::shared_ptr<State> state_;
};

}  // namespace filetree
