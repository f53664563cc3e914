#pragma once

// A directory that keeps what a long report has finished, so that another process can go on.
//
// It holds parts of the output, lists of errors, and the file `frontier`, which says which of them
// count and what is left to do. A commit syncs the part and the errors, then replaces the frontier
// by a rename: at any moment, a power cut included, there is one whole frontier, and what it names
// is on disk. Whatever else of ours is there was not committed, and is removed when work goes on.
//
//     part-N.*    rows, as Parquet, CSV (without a header line), or PWAL
//     errors-N    entries that could not be looked at
//     frontier    see checkpoint.cpp
//     lock        locked (flock) as long as somebody works with the directory

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "filetree/error.hpp"
#include "filetree/report.hpp"

namespace filetree {

// How many errors a run has met.
struct ErrorCounts {
    std::ptrdiff_t of_walk = 0;
    std::ptrdiff_t of_rows = 0;  // entries that could be looked at, but not be written
};

// What belongs to all rows before it in the stream of a report's rows.
struct Mark {
    std::string frontier;            // what is left, for WalkRests
    std::vector<EntryError> errors;  // met since the mark before
    ErrorCounts errors_so_far;       // of this run, and so are these:
    WalkProgress progress;
    std::uint64_t clamped_times = 0;
    std::uint64_t records = 0;  // rows, where the format counts them
    bool last = false;          // the report ends here
};

// Adds what one run found to what earlier ones did. Threads are not added up.
void add_progress(const WalkProgress& more, WalkProgress& sum);

// Threads: one at a time, but for due(), marked(), stop() and stopping(), and what never changes
// (totals_before(), errors_before()), which may come from any.
class Checkpoint {
   public:
    // What rows depend on: names of options, and what they were.
    using Identity = std::vector<std::pair<std::string, std::string>>;

    struct Part {
        std::uint64_t number = 0;
        std::uint64_t rows = 0;   // where the format counts them
        std::uint64_t bytes = 0;  // 0: there is no file
        std::uint64_t error_bytes = 0;
    };

    // Sums over what has been committed.
    struct Totals {
        WalkProgress progress;
        std::uint64_t clamped_times = 0;
        std::uint64_t started = 0;  // seconds since 1970
    };

    // Opens the directory, which is made if need be, and locks it. Parts have names that end in
    // `suffix`. Throws std::invalid_argument when it holds an unfinished report and `resume` is
    // false, or one with another identity (the message names the first difference), or something
    // that is damaged, or other people's files; SystemError when it cannot be used, EBUSY when
    // somebody else works with it.
    Checkpoint(const std::string& directory, const std::string& suffix, Identity identity,
               bool resume, std::chrono::nanoseconds interval);
    ~Checkpoint();
    Checkpoint(const Checkpoint&) = delete;
    Checkpoint& operator=(const Checkpoint&) = delete;

    // Whether nothing is left but to put the parts together.
    [[nodiscard]] bool complete() const noexcept;
    // Where to begin, for WalkRests.
    [[nodiscard]] const std::string& frontier() const noexcept;
    [[nodiscard]] const Totals& totals() const noexcept;
    // Those of earlier runs; they never change.
    [[nodiscard]] const Totals& totals_before() const noexcept;
    // Those that have been committed, in the order they were met.
    [[nodiscard]] const std::vector<EntryError>& errors() const noexcept;
    [[nodiscard]] const std::vector<EntryError>& errors_before() const noexcept;
    // Of this run.
    [[nodiscard]] const ErrorCounts& errors_committed() const noexcept;
    // In the order of the rows.
    [[nodiscard]] const std::vector<Part>& parts() const noexcept;
    [[nodiscard]] std::string path_of(const Part& part) const;
    [[nodiscard]] const std::string& directory() const noexcept;

    // Begins a part, in place of one that has been begun and not been committed. The descriptor is
    // open for writing, and stays the checkpoint's.
    int begin_part();
    // What has been written to the part begun counts from now on, and so do the mark's frontier and
    // errors. Marks are committed in their order. `rows` may be 0. SystemError: what was committed
    // before still counts.
    void commit(const Mark& mark, std::uint64_t rows);
    // Commits the last part: nothing is left.
    void complete_with(const Mark& mark, std::uint64_t rows);
    // Removes everything of ours, once the output is where it belongs.
    void remove();
    // Lets others work with the directory. Nothing is to be begun or committed any more.
    void close() noexcept;

    // Whether it is time for a mark: the interval has passed since the last, or somebody wants to
    // stop. Not while marks that are on their way to commit() take much memory.
    [[nodiscard]] bool due() const noexcept;
    // A mark is on its way to commit().
    void marked(const Mark& mark) noexcept;
    // The next mark is to be the last, and due now.
    void stop() noexcept;
    [[nodiscard]] bool stopping() const noexcept;

   private:
    class State;
    std::unique_ptr<State> state_;
};

// Writes the parts of a complete CSV or PWAL report to `fd`, one after the other, as one file.
// `name` is what errors call it; `wanted` is asked now and then whether to go on.
void write_parts(const Checkpoint& checkpoint, const TextOptions& text, int fd,
                 const std::string& name, const std::function<bool()>& wanted);

}  // namespace filetree
