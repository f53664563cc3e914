#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "content_hash.hpp"
#include "file_source.hpp"
#include "filetree/compare.hpp"
#include "job.hpp"
#include "shortage.hpp"

namespace filetree::compare {

// Any number of files, told apart step by step: all are opened, then samples of those that may be
// the same are hashed, then all of those that still may be. A step begins when the one before is
// done; its pieces go to any thread. Files are open only while they are read, and must be the same
// every time.
//
// A content is the hashes of its ranges, so that several threads can read one large file.
class GroupJob final : public Job {
   public:
    GroupJob(std::shared_ptr<FileSystem> fs, std::vector<std::string> paths,
             const CompareOptions& options, bool only_whether);

    // These two once it has ended without a failure.
    [[nodiscard]] bool all_equal() const noexcept { return !different_.load(); }
    [[nodiscard]] const std::vector<std::size_t>& groups() const noexcept { return groups_; }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_.load(); }

   private:
    using Tags = std::vector<ContentHash::Tag>;

    struct Member {
        std::string path;
        Attributes seen;
        std::optional<std::uint64_t> size;
        std::size_t same_as = 0;  // the first member that is the same file
        Tags sampled;
        bool was_read = false;  // `content` is there
        Tags content;
        std::uint64_t length = 0;  // of what has been read, where no size is known
    };
    // A part of one member to be read.
    struct Range {
        std::size_t member;
        std::uint64_t first;
        std::uint64_t last;
    };
    enum class Step : std::uint8_t { opening, sampling, reading, done };

    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    void conclude() override;

    // Plan the next step when this one is done. With mutex_ held.
    void advance();
    void plan_samples();
    void plan_reading();
    // What is known of members that are not the same file.
    struct Kinds {
        std::map<std::pair<std::uint64_t, Tags>, std::vector<std::size_t>> known;
        std::vector<std::size_t> unknown;
    };
    [[nodiscard]] Kinds kinds() const;
    [[nodiscard]] bool must_differ() const;
    // The members that cannot be told from another one by what is known, of each kind the first.
    [[nodiscard]] std::vector<std::size_t> doubtful() const;

    void run(const std::vector<Range>& piece);
    void run(const Range& range);
    void open(Member& member);
    void sample(Member& member);
    void read(const Range& range);
    void read_to_the_end(Member& member);
    [[nodiscard]] std::unique_ptr<FileSource> reopen(const Member& member) const;
    [[nodiscard]] ContentHash::Tag hash(FileSource& file, std::uint64_t first, std::uint64_t last,
                                        std::uint64_t& length);
    // Of `only_whether`: what all must have at a place.
    void expect(std::uint64_t place, const ContentHash::Tag& tag);
    void differs() noexcept;

    const std::shared_ptr<FileSystem> fs_;
    const CompareOptions options_;
    const bool only_whether_;
    const HashKey key_;
    Shortage shortage_;

    // Guarded by mutex_; but a member's parts belong to who does a piece of it.
    std::vector<Member> members_;
    Step step_ = Step::opening;
    std::vector<Range> ranges_;  // of this step, the last one first
    std::size_t under_way_ = 0;
    std::map<std::uint64_t, ContentHash::Tag> expected_;

    std::atomic<bool> different_{false};
    std::atomic<std::uint64_t> bytes_read_{0};
    std::vector<std::size_t> groups_;
};

}  // namespace filetree::compare
