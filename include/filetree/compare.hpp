#pragma once

// Do these hold the same bytes?
//
// A Comparison is work for a Pool, whose threads share all comparisons fairly: each takes a piece
// of one, a few milliseconds' worth, then a piece of the next. Nobody waits in a call that may hang
// but the pool's threads; who wants the answer waits for the Comparison.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "filetree/fs.hpp"
#include "filetree/http.hpp"

namespace filetree {

// Why there is no answer.
enum class CompareFailure : std::uint8_t {
    not_found,   // a source does not exist
    unreadable,  // a source cannot be read, or has changed meanwhile
    archive,     // an archive is truncated, corrupt, encrypted or of an unknown format
    bomb,        // an archive exceeds a limit
    cancelled,
};

class CompareError : public std::runtime_error {
   public:
    // `error` is an errno; `what` is said in place of its text when it is not empty.
    CompareError(CompareFailure failure, int error, std::string path, const std::string& what = {});
    // What a comparison that has been cancelled fails with.
    [[nodiscard]] static CompareError cancelled();

    [[nodiscard]] CompareFailure failure() const noexcept { return failure_; }
    [[nodiscard]] int error() const noexcept { return error_; }
    [[nodiscard]] const std::string& path() const noexcept { return path_; }

   private:
    CompareFailure failure_;
    int error_;
    std::string path_;
};

struct CompareOptions {
    std::size_t chunk_size = 0;  // bytes of one read, up to 2 MiB; 0: what is fastest
    bool size_precheck = true;   // different sizes are an answer
    bool quick_check = true;     // of large files: look at some places first
    unsigned max_workers = 0;    // threads of the pool's that may work at it at once; 0: all
};

enum class DiffReason : std::uint8_t {
    content_mismatch,
    size_mismatch,
    missing,
    type_mismatch,
    read_error,
};

// In what two collections of files differ. Names are paths relative to the top, of bytes, and in no
// order.
struct Differences {
    std::vector<std::pair<std::string, DiffReason>> diff;
    std::vector<std::string> only_left;
    std::vector<std::string> only_right;
    std::vector<std::pair<std::string, std::string>> errors;  // a name, and what is wrong there
    std::vector<std::string> skipped;                         // of archives: what was not compared

    [[nodiscard]] bool equal() const noexcept {
        return diff.empty() && only_left.empty() && only_right.empty() && errors.empty();
    }
};

// A file, by path, or what an http or https URL leads to.
struct SourceRef {
    SourceRef(std::string path) : name(std::move(path)) {}  // NOLINT(google-explicit-constructor)
    SourceRef(const char* path) : name(path) {}             // NOLINT(google-explicit-constructor)
    SourceRef(std::string url, std::shared_ptr<const HttpOptions> options)
        : name(std::move(url)), http(std::move(options)) {}

    std::string name;
    std::shared_ptr<const HttpOptions> http;  // null: of a file
};

class Job;

// Threads for any number of comparisons. As many as there are cores, and more while all of them
// wait for storage.
//
// Threads: every call from any thread.
class Pool {
   public:
    // 0: as many as there are cores.
    explicit Pool(unsigned threads = 0);
    // As close().
    ~Pool();
    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    void submit(std::shared_ptr<Job> job);
    // By which all of them read URLs.
    [[nodiscard]] std::shared_ptr<HttpClient> http();
    [[nodiscard]] unsigned threads() const;
    // Cancels what is under way, and what is submitted later at once. A thread that stays in a
    // system call for a second is left behind.
    void close();

    class State;

   private:
    std::shared_ptr<State> state_;
};

// A comparison under way, or done.
//
// Threads: every call from any thread.
class Comparison {
   public:
    Comparison(const Comparison&) = delete;
    Comparison& operator=(const Comparison&) = delete;
    // Cancels; does not wait.
    virtual ~Comparison();

    // Waits for the end. False: not yet.
    [[nodiscard]] bool wait(std::chrono::nanoseconds timeout);
    // Called once, on a thread of the pool's or on the one that cancels; at once if it has ended.
    void on_finished(std::function<void()> callback);
    // Stops within a chunk; the answer is then the failure `cancelled`. Idempotent.
    void cancel() noexcept;
    // What ended it without an answer; null when there is one.
    [[nodiscard]] std::exception_ptr failure() const;

   protected:
    explicit Comparison(std::shared_ptr<Job> job);

    std::shared_ptr<Job> job_;
};

// Two sources. Of files only regular ones are read, and /dev/null; others are refused without being
// opened.
//
// The same inode, or extents that both share, are equal without being read; two sizes that can be
// trusted and differ are different. A source that changes meanwhile is a failure, not an answer. A
// URL is read by one GET, and only as far as to the first difference.
class FileComparison final : public Comparison {
   public:
    FileComparison(Pool& pool, std::shared_ptr<FileSystem> fs, SourceRef a, SourceRef b,
                   const CompareOptions& options);
    ~FileComparison() override;

    // Once it has ended without a failure.
    [[nodiscard]] bool equal() const;
    // Bytes read so far, of both sides.
    [[nodiscard]] std::uint64_t bytes_read() const;
};

struct TreeOptions {
    CompareOptions files;             // max_workers is of the whole
    bool follow_symlinks = true;      // compare what they lead to; else their texts
    std::vector<std::string> ignore;  // fnmatch patterns of names, at every depth
};

// Two directories with all that is below them, by path.
//
// Directories are paired as they are read, and their files are compared as pairs are found. Only
// files are told of, directories only as the other side of a type_mismatch. A directory reached
// through a symlink that leads to one of its own ancestors is a loop: an error, unless both sides
// lead to the same depth. A top that cannot be read is a failure; whatever else, an entry of
// `errors`.
class TreeComparison final : public Comparison {
   public:
    TreeComparison(Pool& pool, const std::shared_ptr<FileSystem>& fs, std::string top_a,
                   std::string top_b, TreeOptions options);
    ~TreeComparison() override;

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const;

    struct Progress {
        std::uint64_t files;  // pairs compared
        std::uint64_t bytes;  // read, of both sides
    };
    [[nodiscard]] Progress progress() const;
};

// A directory, and the URLs that should hold the same as its files, by their names. Some dozens of
// them are fetched at once. A file without a URL is only left, a URL without a file only right;
// what cannot be fetched is read_error, and a directory where a file should be is type_mismatch.
class MirrorComparison final : public Comparison {
   public:
    MirrorComparison(Pool& pool, std::shared_ptr<FileSystem> fs, std::string top,
                     std::vector<std::pair<std::string, SourceRef>> urls,
                     const CompareOptions& options);
    ~MirrorComparison() override;

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const;
};

// Any number of sources: which of them hold the same bytes? Each is read about once.
//
// What cannot be told by inodes, sizes and, of large files, samples is told by a 128-bit hash under
// a random key of this comparison's own.
class GroupComparison final : public Comparison {
   public:
    // There is at least one source. With `only_whether` it stops at the first difference.
    GroupComparison(Pool& pool, std::shared_ptr<FileSystem> fs, std::vector<SourceRef> sources,
                    const CompareOptions& options, bool only_whether);
    ~GroupComparison() override;

    // Both once it has ended without a failure.
    [[nodiscard]] bool all_equal() const;
    // Of each source the number of its group, counted from 0 in the order of their first ones. Not
    // with `only_whether`.
    [[nodiscard]] const std::vector<std::size_t>& groups() const;
    // Bytes read so far.
    [[nodiscard]] std::uint64_t bytes_read() const;
};

// What an archive may cost, of each side. 0: no limit.
struct ArchiveOptions {
    std::size_t chunk_size = 0;  // bytes of one read of the archive, 4 KiB to 16 MiB; 0: the best
    std::uint64_t max_decompressed_size = 0;  // bytes of all entries, the zeros of holes included
    // Of these to the archive's size; looked at once they are more than 1 MiB.
    std::uint64_t max_compression_ratio = 0;
    std::uint64_t max_entries = 0;      // of any kind
    std::uint64_t max_name_length = 0;  // bytes
    bool hash_compare = false;          // by a keyed hash of each entry, whatever their order
};

// Two archives: the files in them, by name and content. Formats may differ, and so may the
// order of entries; the last entry of a name counts. Both are read whole, so that one that is
// truncated or corrupt is a failure whatever else differs. An archive and itself is read once.
class ArchiveComparison final : public Comparison {
   public:
    ArchiveComparison(Pool& pool, std::shared_ptr<FileSystem> fs, const SourceRef& a,
                      const SourceRef& b, const ArchiveOptions& options);
    ~ArchiveComparison() override;

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const;
};

enum class SourceKind : std::uint8_t { file, directory, archive };

// What a source is. An archive is what ArchiveComparison takes, judged by its beginning (a zip by
// its end): a tar of no entries is none, as it is any file of zeros.
class SourceProbe final : public Comparison {
   public:
    SourceProbe(Pool& pool, std::shared_ptr<FileSystem> fs, const SourceRef& source);
    ~SourceProbe() override;

    // Once it has ended without a failure.
    [[nodiscard]] SourceKind kind() const;
};

}  // namespace filetree
