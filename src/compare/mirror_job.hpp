#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "filetree/compare.hpp"
#include "job.hpp"
#include "ready_parts.hpp"
#include "shortage.hpp"
#include "stream_pair.hpp"
#include "tree_job.hpp"

namespace filetree::compare {

// A directory's files, and the URLs that should hold the same: some dozens of pairs at once, while
// another job lists the directory for files without a URL.
class MirrorJob final : public Job {
   public:
    // Names are relative to the directory.
    MirrorJob(std::shared_ptr<FileSystem> fs, std::shared_ptr<HttpClient> client, std::string top,
              std::vector<std::pair<std::string, SourceRef>> urls, const CompareOptions& options);

    // The one that lists; to be submitted, too.
    [[nodiscard]] const std::shared_ptr<TreeJob>& listing() const noexcept { return listing_; }
    // It has ended.
    void listed();

    // Once it has ended without a failure.
    [[nodiscard]] const Differences& differences() const noexcept { return found_; }

   private:
    struct Entry {
        Entry(std::string its_name, SourceRef its_url)
            : name(std::move(its_name)), url(std::move(its_url)) {}
        std::string name;
        SourceRef url;
        std::unique_ptr<StreamPair> pair;  // while it is compared
        bool missing = false;              // here
        std::optional<DiffReason> reason;
        std::optional<std::string> error;
    };

    [[nodiscard]] Piece take() override;
    [[nodiscard]] bool has_more() const override;
    [[nodiscard]] bool is_waiting() const override { return under_way_ > 0 || !listed_; }
    void conclude() override;
    void release() noexcept override;

    [[nodiscard]] bool may_begin() const;
    void go_on(std::size_t index);
    // True when there is an answer.
    [[nodiscard]] bool compare(std::size_t index, bool& more);
    [[nodiscard]] std::string path_of(const Entry& entry) const;

    const std::shared_ptr<FileSystem> fs_;
    const std::shared_ptr<HttpClient> client_;
    const std::string top_;
    const CompareOptions options_;
    const std::size_t most_at_once_;
    const std::shared_ptr<TreeJob> listing_;
    Shortage shortage_;

    // Guarded by mutex_; but an entry belongs to who has it from ready_.
    std::vector<Entry> entries_;
    ReadyParts ready_;
    std::size_t next_ = 0;  // to be begun
    std::size_t under_way_ = 0;
    bool listed_ = false;
    bool told_ = false;  // of that, and no piece has been handed out since
    Differences found_;
};

}  // namespace filetree::compare
