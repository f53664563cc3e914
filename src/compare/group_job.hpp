#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "content_hash.hpp"
#include "file_source.hpp"
#include "filetree/compare.hpp"
#include "job.hpp"
#include "ready_parts.hpp"
#include "shortage.hpp"
#include "url_digest.hpp"

namespace filetree::compare {

// Any number of sources, told apart step by step: files are opened, URLs are read whole, then
// samples of those files that may be the same are hashed, then all of those that still may be. A
// step begins when the one before is done; its pieces go to any thread. Files are open only while
// they are read, and must be the same every time.
//
// A content is the hashes of its ranges, so that several threads can read one large file.
class GroupJob final : public Job {
   public:
    // The client may be null where no source is a URL.
    GroupJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client,
             std::vector<SourceRef> sources, const CompareOptions& options, bool only_whether);

    // These two once it has ended without a failure.
    [[nodiscard]] bool all_equal() const noexcept { return !different_.load(); }
    [[nodiscard]] const std::vector<std::size_t>& groups() const noexcept { return groups_; }
    [[nodiscard]] std::uint64_t bytes_read() const noexcept { return bytes_read_.load(); }

   private:
    using Tags = std::vector<ContentHash::Tag>;

    struct Member {
        explicit Member(SourceRef source) : ref(std::move(source)) {}
        SourceRef ref;
        std::unique_ptr<UrlDigest> url;  // while it is read
        Attributes seen{};
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
    enum class Step : std::uint8_t { opening, fetching, sampling, reading, done };

    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    [[nodiscard]] bool is_waiting() const override { return fetching_ > 0; }
    void conclude() override;
    void release() noexcept override;

    // Plan the next step when this one is done. With mutex_ held.
    void advance();
    void begin_fetching();
    // False when all URLs have been begun.
    [[nodiscard]] bool begin_next();
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
    // Of a URL.
    void begin(std::size_t index);
    void go_on(std::size_t index);
    void fetched(Member& member);
    // Of `only_whether`: the size that all must have. With mutex_ held.
    void expect_size(std::uint64_t size);
    [[nodiscard]] std::unique_ptr<FileSource> reopen(const Member& member) const;
    [[nodiscard]] ContentHash::Tag hash(FileSource& file, std::uint64_t first, std::uint64_t last,
                                        std::uint64_t& length);
    // Of `only_whether`: what all must have at a place.
    void expect(std::uint64_t place, const ContentHash::Tag& tag);
    void differs() noexcept;

    const std::shared_ptr<FileSystem> fs_;
    const std::shared_ptr<HttpClient> client_;
    const CompareOptions options_;
    const bool only_whether_;
    const HashKey key_;
    Shortage shortage_;

    // Guarded by mutex_; but a member's parts belong to who does a piece of it.
    std::vector<Member> members_;
    Step step_ = Step::opening;
    std::vector<Range> ranges_;  // of this step, the last one first
    std::size_t under_way_ = 0;
    std::size_t next_url_ = 0;  // from there on none has been begun
    std::size_t fetching_ = 0;  // URLs that have been begun, and are not read whole
    ReadyParts ready_;          // those of which something has come
    std::optional<std::uint64_t> expected_size_;
    std::map<std::uint64_t, ContentHash::Tag> expected_;

    std::atomic<bool> different_{false};
    std::atomic<std::uint64_t> bytes_read_{0};
    std::vector<std::size_t> groups_;
};

}  // namespace filetree::compare
