#pragma once

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "filetree/faulty_fs.hpp"
#include "filetree/synthetic_fs.hpp"

namespace filetree::testing {

// A fault for the calls of one operation on one path.
inline FaultPolicy fault_at(Operation operation, std::string path, Fault fault) {
    return [operation, path = std::move(path), fault](const FaultyCall& call) {
        return call.operation == operation && call.path == path ? fault : Fault{};
    };
}

inline FaultPolicy error_at(Operation operation, std::string path, int error) {
    return fault_at(operation, std::move(path), Fault{error, {}, false});
}

constexpr Fault hang{0, {}, true};

// Counts calls of each operation on each path.
class CallCounter {
   public:
    // How often this call has been made, this time included.
    int count(const FaultyCall& call) {
        const std::lock_guard lock(mutex_);
        return ++calls_[{call.operation, std::string(call.path)}];
    }

   private:
    std::mutex mutex_;
    std::map<std::pair<Operation, std::string>, int> calls_;
};

inline std::shared_ptr<FaultyFileSystem> faulty(const SyntheticTree& tree, FaultPolicy policy) {
    return std::make_shared<FaultyFileSystem>(make_synthetic_file_system(tree), std::move(policy));
}

// "operation path errno" for each error, sorted: what tests compare.
inline std::vector<std::string> texts(const std::vector<EntryError>& errors) {
    std::vector<std::string> out;
    for (const EntryError& e : errors) {
        out.push_back(std::string(to_string(e.operation)) + " " + e.path + " " +
                      std::to_string(e.error));
    }
    std::sort(out.begin(), out.end());
    return out;
}

inline std::string text(Operation operation, const std::string& path, int error) {
    return std::string(to_string(operation)) + " " + path + " " + std::to_string(error);
}

}  // namespace filetree::testing
